"""A batch that training baked in, rewritten: each sample answers as before; or refused, naming what holds on to it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from mobile_export.errors import ConversionError, ModelError
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.runner import run_samples
from mobile_export.session import Session, import_tensorflow
from mobile_export.transforms import Transform, apply, relative_difference
from mobile_export.transforms.fix_shapes import fix_shapes
from tests.loops import control_flow, loop_graph, recurrent

tf = import_tensorflow()
tf1 = tf.compat.v1
BATCH = 6


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


X = numbers(BATCH, 4, 4, 2)


def graph_of(build: Callable[..., Any], inputs: Mapping[str, np.ndarray]) -> Graph:
    with tf.Graph().as_default() as made:
        fed = [tf1.placeholder(value.dtype, value.shape, name) for name, value in inputs.items()]
        outputs = [tf.identity(y, f"y{i}") for i, y in enumerate(tf.nest.flatten(build(*fed)))]
    specs = [
        tuple(TensorSpec(t.op.name, t.name, t.dtype.name, tuple(t.shape.as_list())) for t in edges)
        for edges in (fed, outputs)
    ]
    return Graph.from_graph_def(made.as_graph_def(), *specs)


def head(flat: Any) -> Any:
    return tf.nn.softmax(tf.matmul(flat, numbers(flat.shape[-1], 3)))


def flattened_like_layers(x: Any) -> Any:
    """As `tf.layers.flatten` does, from the shape at run time."""
    return head(tf.reshape(x, tf.stack([tf.shape(x)[0], 32])))


def packed(x: Any) -> Any:
    rows = tf.constant(BATCH)
    return head(tf.ensure_shape(tf.reshape(x, tf.stack([rows, 32])), [None, 32]))


def from_numbers_of_its_own(x: Any) -> Any:
    return head(tf.reshape(x, [x.shape[0] * 1, x.shape[1] * 8]))


def twice(x: Any) -> Any:
    """To a shape and back, through the same constant."""
    shape = tf.constant([BATCH, 16, 2])
    return head(tf.reshape(tf.reshape(x, shape) * tf.reshape(tf.nn.relu(x), shape), [BATCH, 32]))


def broadcast(x: Any) -> Any:
    rows = tf.broadcast_to(tf.reduce_mean(x, [1, 2], keepdims=True), [BATCH, 4, 4, 2])
    return head(tf.reshape(x - rows, [BATCH, -1]))


def zeros_added(x: Any) -> Any:
    """The state that a recurrent network starts from."""
    state = tf.fill([BATCH, 8], 0.0)
    for step in range(2):
        state = tf.tanh(tf.matmul(tf.concat([tf.reshape(x[:, step], [BATCH, 8]), state], 1), numbers(16, 8)))
    return head(state)


def looping(x: Any) -> Any:
    """Lists whose elements have the batch."""
    with control_flow(2):
        return head(recurrent(tf.reshape(x, [BATCH, 4, 8]))[:, -1])


def the_same_number_for_something_else(x: Any) -> Any:
    """A size that only happens to be the batch's stays."""
    y = tf.matmul(tf.reshape(x, [BATCH, 32]), tf.reshape(tf.constant(numbers(32 * BATCH)), [32, BATCH]))
    return tf.matmul(y, tf.reshape(tf.constant(numbers(BATCH * 3)), [BATCH, 3]))


def no_batch_in_it(x: Any) -> Any:
    return head(tf.reshape(x, [-1, 32]))


def sliced(x: Any) -> Any:
    y = tf.slice(tf.reshape(x[:BATCH, :, 1:], [BATCH, 24]), [0, 4], [BATCH, 20])
    return head(y[0:BATCH] + tf.strided_slice(y, [0, 0], [BATCH, 20], begin_mask=1))


REWRITTEN: dict[str, Callable[[Any], Any]] = {
    "const with -1": lambda x: head(tf.ensure_shape(tf.reshape(x, [BATCH, -1]), [None, 32])),
    "const": lambda x: head(tf.reshape(x, [BATCH, 32])),
    "like layers": flattened_like_layers,
    "packed": packed,
    "static": from_numbers_of_its_own,
    "twice": twice,
    "sliced": sliced,
    "no batch": no_batch_in_it,
    "coincidence": the_same_number_for_something_else,
}
FIXED_ONLY: dict[str, Callable[[Any], Any]] = {"broadcast": broadcast, "zeros": zeros_added}


@pytest.mark.parametrize(
    ("build", "batch"),
    [
        *[(build, batch) for build in REWRITTEN.values() for batch in (1, 2, -1)],
        *[(build, batch) for build in (*FIXED_ONLY.values(), looping) for batch in (1, 2)],
    ],
)
def test_each_sample_answers_as_before(build: Callable[[Any], Any], batch: int) -> None:
    shape = (batch, *X.shape[1:])
    old = graph_of(build, {"x": X})
    new, (applied,) = apply(old, [("fix_shapes", Transform(lambda g: fix_shapes(g, {"x": shape}), 1e-5))], {"x": X})
    assert [spec.shape for spec in (*new.inputs, *new.outputs)] == [shape, (batch, 3)]
    assert applied.difference is not None
    with Session(new) as session:
        alone = session({"x": X[:1]}) if batch == 1 else run_samples(session, {"x": X[:2]})
        everything = run_samples(session, {"x": X})
    with Session(old) as session:
        answers = session({"x": X})["y0"]
    assert relative_difference(answers, everything["y0"]) <= 1e-5
    assert relative_difference(answers[: len(alone["y0"])], alone["y0"]) <= 1e-5


def zeros_concatenated(x: Any) -> Any:
    return tf.concat([tf.reshape(x, [BATCH, 32]), tf.constant(np.zeros((BATCH, 2), np.float32))], 1)


def rows_folded_into_the_batch(x: Any) -> Any:
    return tf.reshape(tf.nn.relu(tf.reshape(x, [BATCH * 4, 8])), [BATCH, 32])


def rows_in_front(x: Any) -> Any:
    return tf.reshape(x, [4, BATCH, 8])[0]


def sliced_short(x: Any) -> Any:
    return tf.concat([x, x], 0)[:BATCH]


def split(x: Any) -> Any:
    return tf.stack([tf.nn.relu(row) for row in tf.unstack(x)])


def positions(x: Any) -> Any:
    return tf.gather(tf.reshape(x, [BATCH, 32]), tf.range(BATCH))


@pytest.mark.parametrize("batch", [1, -1])
@pytest.mark.parametrize(
    ("build", "node"),
    [
        (zeros_concatenated, "concat"),
        (rows_folded_into_the_batch, "Reshape"),
        (rows_in_front, "Reshape"),
        (split, "unstack"),
        (positions, "GatherV2"),
    ],
)
def test_what_holds_on_to_the_batch_is_named(build: Callable[[Any], Any], node: str, batch: int) -> None:
    graph = graph_of(build, {"x": X})
    said = rf"does not take the shapes of the target: .*{{{{node {node}}}}}|node '{node}' \(\w+\) holds on to the batch"
    with pytest.raises(ModelError, match=said) as caught:
        fix_shapes(graph, {"x": (batch, *X.shape[1:])})
    assert "\n" not in str(caught.value)


def test_more_rows_than_the_batch_are_noticed() -> None:
    graph = graph_of(sliced_short, {"x": X})
    with pytest.raises(ModelError, match=r"output 'y0' is \[2,4,4,2\] for a batch of 1: "):
        fix_shapes(graph, {"x": (1, 4, 4, 2)})
    with pytest.raises(ConversionError, match=r"'fix_shapes' moved the outputs by inf"):
        apply(graph, [("fix_shapes", Transform(lambda g: fix_shapes(g, {"x": (-1, 4, 4, 2)})))], {"x": X[:4]})


@pytest.mark.parametrize("build", FIXED_ONLY.values(), ids=FIXED_ONLY)
def test_what_cannot_be_dynamic_is_named(build: Callable[[Any], Any]) -> None:
    said = (
        rf"node '.*' \((Fill|BroadcastTo)\) has the batch of {BATCH} baked in and cannot be dynamic; give .* such as 1"
    )
    with pytest.raises(ModelError, match=said):
        fix_shapes(graph_of(build, {"x": X}), {"x": (-1, *X.shape[1:])})


def test_inputs_are_rewritten_together() -> None:
    inputs = {"a": numbers(BATCH, 2, 3), "b": numbers(BATCH, 5)}

    def build(a: Any, b: Any) -> Any:
        return tf.concat([tf.reshape(a, [BATCH, 6]), b], 1), tf.reduce_sum(a, [1, 2])

    graph = graph_of(build, inputs)
    new = fix_shapes(graph, {"a": (1, 2, 3), "b": (1, 5)})
    assert [spec.shape for spec in new.outputs] == [(1, 11), (1,)]
    with pytest.raises(ModelError, match="the inputs have different baked-in batch sizes"):
        fix_shapes(graph, {"a": (1, 2, 3), "b": (2, 5)})


@pytest.mark.parametrize("size", [1, 8])
def test_other_dimensions_change_too(size: int) -> None:
    """A fully convolutional network takes images of any size."""

    def build(x: Any) -> Any:
        return tf.reduce_mean(tf.nn.conv2d(x, numbers(3, 3, 2, 3), 1, "SAME"), [1, 2])

    new = fix_shapes(graph_of(build, {"x": X}), {"x": (-1, size, size, 2)})
    assert [spec.shape for spec in (*new.inputs, *new.outputs)] == [(-1, size, size, 2), (-1, 3)]


def test_a_shape_that_the_weights_do_not_take_is_refused() -> None:
    graph = graph_of(lambda x: head(tf.reshape(x, [-1, 32])), {"x": X})
    with pytest.raises(ModelError, match=r"the model does not take the shapes of the target: .*Reshape"):
        fix_shapes(graph, {"x": (1, 3, 3, 2)})


def test_lists_of_something_else_than_batches_stay() -> None:
    def build(x: Any) -> Any:
        rows = tf.cast(tf.reduce_sum(x * 0.0), tf.int32) + 2
        return tf.map_fn(lambda step: tf.tile(step[None], [rows, 1]), x[0])

    samples = {"x": numbers(1, 6, 3)}
    step = Transform(lambda g: fix_shapes(g, {"x": (1, 6, 3)}))
    fixed, _ = apply(loop_graph(build, 2, (-1, 6, 3)), [("fix_shapes", step)], samples)
    with Session(fixed) as session:
        assert session(samples)["y"].shape == (6, 2, 3)
