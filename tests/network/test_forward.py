"""From the training graph to the served network: branches, inputs in the middle, and what must never run."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import NodeDef
from mobile_export.network.forward import forward_graph
from mobile_export.network.trained import Trained
from mobile_export.target import Model
from tests.sources.training import (
    ROWS,
    Net,
    Saved,
    assert_serves,
    dense,
    edit,
    load,
    mlp,
    rename_op,
    save,
    tf,
    tf1,
    trained,
    variable,
)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save(mlp, tmp_path_factory.mktemp("pristine"))


@pytest.fixture(params=["v1-ref", "v1", "v2"])
def resource(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Branches as Switch and Merge over both kinds of variables, and as If, which takes one kind only."""
    if request.param != "v2":
        tf1.disable_control_flow_v2()
    yield request.param != "v1-ref"
    tf1.enable_control_flow_v2()


def normalized(h: Any, training: Any, resource: bool) -> Any:
    """Batch normalization that moves its averages inside of the branch that trains."""
    with tf1.variable_scope("norm"):
        gamma, beta = variable("gamma", 8, resource=resource), variable("beta", 8, resource=resource)
        mean = variable("mean", 8, resource=resource, trainable=False)
        variance = variable("variance", 8, resource=resource, trainable=False, initializer=tf1.ones_initializer())

    def train() -> Any:
        batch_mean, batch_variance = tf.nn.moments(h, [0])
        moved = [tf1.assign_sub(mean, 0.1 * (mean - batch_mean)), tf1.assign(variance, batch_variance * 0.1 + 0.9)]
        with tf.control_dependencies(moved):
            return tf.nn.batch_normalization(h, batch_mean, batch_variance, beta, gamma, 1e-3)

    return tf1.cond(training, train, lambda: tf.nn.batch_normalization(h, mean, variance, beta, gamma, 1e-3))


def switched(switch: Callable[[], Any], resource: bool) -> Net:
    """Normalization and dropout that ask `switch`; where it is no placeholder, nothing feeds it while serving."""
    x = tf1.placeholder(tf.float32, [None, 6], "image")
    training = switch()
    hidden = tf.nn.relu(normalized(dense(x, 8, "hidden", resource=resource), training, resource))
    hidden = tf1.cond(training, lambda: tf.nn.dropout(hidden, rate=0.5), lambda: hidden)
    serving = {training: False} if training.op.type == "Placeholder" else {}
    return trained(x, dense(hidden, 3, "logits", resource=resource), {training: True}, serving)


def placeholder(name: str) -> Callable[[], Any]:
    return lambda: tf1.placeholder(tf.bool, [], name)


SWITCHES = {
    "is_training": placeholder("is_training"),
    "scoped": placeholder("model/phase_train"),
    "default": lambda: tf1.placeholder_with_default(False, [], "learning"),
    "negated": lambda: tf.logical_not(tf1.placeholder_with_default(True, [], "serving")),
}


@pytest.mark.parametrize("switch", SWITCHES.values(), ids=SWITCHES)
def test_training_is_switched_off(switch: Callable[[], Any], resource: bool, tmp_path: Path) -> None:
    saved = save(partial(switched, switch, resource), tmp_path)
    graph = load(saved.prefix)
    assert [spec.tensor for spec in graph.inputs] == ["image:0"]
    assert_serves(saved, graph)


def test_a_switch_of_another_name_is_a_constant_of_the_target(resource: bool, tmp_path: Path) -> None:
    saved = save(partial(switched, placeholder("mode"), resource), tmp_path)
    assert_serves(saved, load(saved.prefix, constants=({"tensor": "mode:0", "value": False},)))


# Inputs in the middle of the graph


def read(images: Any, labels: Any, image: Any) -> Net:
    """A network behind an input pipeline, which is cut off at `image`."""
    hidden = tf.nn.relu(dense(tf.reshape(images, [-1, 6]), 8, "hidden"))
    logits = dense(hidden, 3, "logits")
    losses = tf1.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    step = tf1.train.AdamOptimizer(0.01).minimize(tf.reduce_mean(losses))
    return Net([image], [tf.nn.softmax(logits, name="probabilities")], {}, {}, step)


def from_dataset() -> Net:
    """The image is the second output of an operator, and its labels are the first."""
    data = tf.data.Dataset.from_tensor_slices((np.arange(20) % 3, np.ones((20, 2, 3), np.float32)))
    labels, images = tf1.data.make_one_shot_iterator(data.batch(ROWS).repeat()).get_next()
    return read(images, labels, images)


def from_python() -> Net:
    raw = tf1.py_func(lambda: np.ones([ROWS, 2, 3], np.float32), [], tf.float32)
    images = tf.reshape(raw, [-1, 2, 3], "batch")
    return read(images, tf.zeros([ROWS], tf.int64), images)


def from_a_file() -> Net:
    name = tf1.placeholder_with_default("/dev/null", [])
    raw = tf.concat([tf1.decode_raw(tf.io.read_file(name), tf.float32), tf.ones([6 * ROWS])], 0)
    images = tf1.placeholder_with_default(tf.reshape(raw, [-1, 2, 3]), [None, 2, 3], "batch")
    return read(images, tf.zeros([ROWS], tf.int64), images)


@pytest.mark.parametrize(
    ("program", "op"), [(from_dataset, "OneShotIterator"), (from_python, "PyFunc"), (from_a_file, "DecodeRaw")]
)
def test_the_pipeline_behind_an_input_is_cut_off(program: Callable[[], Net], op: str, tmp_path: Path) -> None:
    saved = save(program, tmp_path)
    edit(saved, rename_op(op, "NoSuchOp"))
    graph = load(saved.prefix, inputs=({"name": "image", "tensor": next(iter(saved.samples))},))
    assert [(spec.name, spec.dtype, spec.shape) for spec in graph.inputs] == [("image", "float32", (-1, 2, 3))]
    assert_serves(saved, graph)


@pytest.mark.parametrize(
    ("op", "said"),
    [("PyFunc", r"raw: float32\[\.\.\.\] \(PyFunc:0\)"), ("NoSuchOp", r"the type of 'PyFunc' is not known")],
)
def test_an_operator_that_is_not_run_may_still_be_an_input(op: str, said: str, tmp_path: Path) -> None:
    saved = save(from_python, tmp_path)
    edit(saved, rename_op("PyFunc", op))
    try:
        found = str(load(saved.prefix, inputs=({"name": "raw", "tensor": "PyFunc"},)).inputs[0])
    except ModelError as error:
        found = str(error)
    assert re.search(said, found)


# What is never run


def test_an_unknown_operator_in_the_forward_graph_is_refused(tmp_path: Path) -> None:
    saved = save(mlp, tmp_path)
    edit(saved, rename_op("Relu", "NoSuchOp"))
    with pytest.raises(ModelError, match=r"never run here: NoSuchOp \(node 'Relu'\): it cannot be cut off") as caught:
        load(saved.prefix)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("op", ["HistogramSummary", "SparseSoftmaxCrossEntropyWithLogits"])
def test_an_unknown_operator_of_the_training_does_not_matter(op: str, tmp_path: Path) -> None:
    saved = save(mlp, tmp_path)
    edit(saved, rename_op(op, "NoSuchOp"))
    assert_serves(saved, load(saved.prefix))


CALLS: list[str] = []
"""How often a graph called back into Python."""


def calling(place: str) -> Net:
    """A network with a Python function in the data's way, in a branch, or in a branch's condition."""
    x = tf1.placeholder(tf.float32, [None, 6], "image")

    def call(value: Any, dtype: Any = tf.float32) -> Any:
        result = tf1.py_func(lambda v: CALLS.append(place) or v, [value], dtype)
        result.set_shape(value.shape)
        return result

    hidden = tf.nn.relu(dense(x, 8, "hidden"))
    if place == "data":
        hidden = call(hidden)
    elif place == "branch":
        hidden = tf1.cond(tf.reduce_sum(x) < 100, lambda: call(hidden), lambda: hidden)
    else:
        hidden = tf1.cond(call(tf.constant(True), tf.bool), lambda: hidden, lambda: -hidden)
    return trained(x, dense(hidden, 3, "logits"), {}, {})


@pytest.mark.parametrize("place", ["data", "branch", "condition"])
def test_python_is_never_called(place: str, tmp_path: Path) -> None:
    saved = save(partial(calling, place), tmp_path)
    assert CALLS
    CALLS.clear()
    with pytest.raises(ModelError, match=r"a model that calls Python is not let in: PyFunc \(node "):
        load(saved.prefix)
    assert CALLS == []


@pytest.mark.parametrize("place", ["data", "shape", "condition"])
def test_files_are_never_read(place: str, tmp_path: Path) -> None:
    file = tmp_path / "eight"
    file.write_text("8")

    def reading() -> Net:
        x = tf1.placeholder(tf.float32, [None, 6], "image")
        hidden = dense(x, 8, "hidden")
        read = tf1.string_to_number(tf.io.read_file(str(file)), tf.int32)
        if place == "data":
            hidden *= tf.cast(read, tf.float32)
        elif place == "shape":
            hidden = tf.reshape(hidden, tf.stack([-1, read]))
            hidden.set_shape([None, 8])
        else:
            hidden = tf1.cond(tf.equal(read, 8), lambda: hidden, lambda: -hidden)
        return trained(x, dense(hidden, 3, "logits"), {}, {})

    saved = save(reading, tmp_path)
    file.unlink()  # reading it fails from here on, and would say so
    with pytest.raises(ModelError, match=r"reads or writes files is not let in: ReadFile \(node 'ReadFile'\)"):
        load(saved.prefix)


def behind_a_control_edge(watch: Callable[[Any], Any]) -> Net:
    x = tf1.placeholder(tf.float32, [None, 6], "image")
    with tf.control_dependencies([watch(x)]):
        hidden = tf.nn.relu(dense(x, 8, "hidden"))
    return trained(x, dense(hidden, 3, "logits"), {}, {})


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("stop", [False, True])
def test_what_only_a_control_edge_keeps_alive_is_refused_where_it_writes(
    inside: bool, stop: bool, tmp_path: Path
) -> None:
    file = tmp_path / "written"

    def write(_: Any) -> Any:
        return tf.io.write_file(str(file), "x", name="innocent")

    def watch(x: Any) -> Any:
        return tf.function(lambda v: (write(v), v)[1])(x) if inside else write(x)

    saved = save(partial(behind_a_control_edge, watch), tmp_path)
    file.unlink()
    if stop:  # an input behind it cuts it off
        assert load(saved.prefix, inputs=({"name": "hidden", "tensor": "Relu"},)).inputs
    else:
        with pytest.raises(ModelError, match=r"reads or writes files .*: WriteFile \(node 'innocent'.*without it$"):
            load(saved.prefix)
    assert not file.exists()


@pytest.mark.parametrize(
    "watch",
    [
        lambda x: tf1.Assert(tf.reduce_all(x < 1e9), [x]),
        lambda x: tf.print(x[:0]),
        lambda x: tf1.Print(x, [x], first_n=0),
        lambda x: tf.debugging.check_numerics(x, "not finite"),
        lambda x: tf1.summary.histogram("input", x),
        lambda x: tf1.assign_add(variable("steps", initializer=tf1.zeros_initializer(), trainable=False), 1.0),
    ],
)
def test_what_only_a_control_edge_keeps_alive_is_dropped_where_it_watches(
    watch: Callable[[Any], Any], tmp_path: Path
) -> None:
    saved = save(partial(behind_a_control_edge, watch), tmp_path)
    assert_serves(saved, load(saved.prefix))


def test_a_print_into_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "printed"
    saved = save(partial(behind_a_control_edge, lambda x: tf.print(x, output_stream=f"file://{file}")), tmp_path)
    file.unlink()
    with pytest.raises(ModelError, match="reads or writes files is not let in: PrintV2"):
        load(saved.prefix)
    assert not file.exists()


def test_what_the_training_reads_and_writes_does_not_matter(tmp_path: Path) -> None:
    """The labels come out of a file, and the saver writes one."""
    labels = tmp_path / "labels"
    labels.write_bytes(bytes(ROWS))

    def reading() -> Net:
        net = mlp()
        tf1.summary.image(
            "input",
            tf.cast(tf.reshape(tf1.decode_raw(tf.io.read_file(str(labels)), tf.uint8), [1, ROWS, 1, 1]), tf.float32),
        )
        return net

    saved = save(reading, tmp_path)
    labels.unlink()
    assert_serves(saved, load(saved.prefix))


def test_a_branch_of_the_training_does_not_matter(tmp_path: Path) -> None:
    tf1.disable_control_flow_v2()
    try:
        saved = save(partial(switched_reading, tmp_path / "noise"), tmp_path)
    finally:
        tf1.enable_control_flow_v2()
    (tmp_path / "noise").unlink()
    assert_serves(saved, load(saved.prefix))


def switched_reading(file: Path) -> Net:
    """Training adds noise out of a file."""
    file.write_text("1")
    x = tf1.placeholder(tf.float32, [None, 6], "image")
    training = tf1.placeholder(tf.bool, [], "is_training")
    noisy = tf1.cond(training, lambda: x + tf1.string_to_number(tf.io.read_file(str(file))), lambda: x)
    return trained(x, dense(noisy, 3, "logits"), {training: True}, {training: False})


# Where to cut


def test_a_refusal_says_where_to_cut(tmp_path: Path) -> None:
    def decoding() -> Net:
        image = tf1.placeholder_with_default(tf.io.encode_png(tf.zeros([2, 3, 1], tf.uint8)), [], "png")
        pixels = tf.cast(tf.image.decode_png(image, channels=1), tf.float32)
        x = tf.ensure_shape(tf.reshape(pixels, [1, -1]), [1, 6])
        tf1.add_to_collection("images", x)
        return Net([], [tf.nn.softmax(dense(tf.nn.relu(dense(x, 8, "hidden")), 3, "logits"), name="p")], {}, {}, [])

    saved = save(decoding, tmp_path)
    with pytest.raises(ModelError) as caught:
        load(saved.prefix, inputs=({"name": "png", "tensor": "png"},), outputs=({"name": "p", "tensor": "p"},))
    assert str(caught.value) == (
        "the graph uses operators that are never run here: DecodePng (node 'DecodePng'): "
        "cut at 'DecodePng:0' (uint8[?,?,1]):\n"
        '[[model.inputs]]\nname = "DecodePng"\ntensor = "DecodePng:0"'
    )
    assert caught.value.nodes == ("DecodePng",)


# What the target says


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            {"outputs": ({"name": "p", "tensor": "probability:0"},)},
            "model.outputs[0].tensor: the model has no tensor 'probability:0'; the nearest names are 'probabilities:0'",
        ),
        (
            {"inputs": ({"name": "x", "tensor": "imag"},)},
            "model.inputs[0].tensor: the model has no tensor 'imag'; the nearest names are 'image:0'",
        ),
        (
            {"outputs": ({"name": "p", "tensor": "probabilities:1"},)},
            "model.outputs[0].tensor: 'probabilities' has no output 1",
        ),
        (
            {"constants": ({"tensor": "image", "value": 1}, {"tensor": "imagee", "value": 1})},
            "model.constants[1]: the model has no tensor 'imagee'; the nearest names are 'image:0'",
        ),
        (
            {"constants": ({"tensor": "Relu", "value": 1},)},
            "model.constants[0]: 'Relu:0' is no placeholder of a numeric type",
        ),
        (
            {"constants": ({"tensor": "labels", "value": 0.5},)},
            "model.constants[0]: 'labels:0' is int64 and cannot be 0.5",
        ),
        (
            {"inputs": ({"name": "x", "tensor": "image", "shape": (1, 7)},)},
            "model.inputs[0].shape: [1,7] does not fit 'image:0', which is [?,6] in the model",
        ),
        (
            {"inputs": ({"name": "x", "tensor": "image", "shape": (1, 2, 3)},)},
            "model.inputs[0].shape: [1,2,3] does not fit 'image:0', which is [?,6] in the model",
        ),
    ],
)
def test_what_the_target_says_must_fit(model: dict[str, Any], said: str, pristine: Saved) -> None:
    with pytest.raises(ModelError, match=re.escape(said)):
        load(pristine.prefix, **model)


def test_networks_that_no_phone_runs_are_refused_and_what_is_beside_them_is_not() -> None:
    nodes = [NodeDef(name=f"n{k}", op="Relu", input=[f"n{k - 1}" if k else "x"]) for k in range(100_001)]
    nodes.append(NodeDef(name="x", op="Placeholder"))
    nodes[-1].attr["dtype"].type = 1
    for node in nodes[:-1]:
        node.attr["T"].type = 1
    whole = Trained(Graph({node.name: node for node in nodes}), dict[str, Any]().__getitem__)

    def model(output: str) -> Model:
        return Model.model_validate(
            {
                "source": "m.pb",
                "inputs": ({"name": "x", "tensor": "x:0"},),
                "outputs": ({"name": "y", "tensor": output},),
            },
            context={"folder": Path()},
        )

    with pytest.raises(ModelError, match="what computes the outputs has more than 100000 nodes"):
        forward_graph(whole, model("n100000:0"))
    assert len(forward_graph(whole, model("n3:0")).nodes) == 5
