"""From a SavedModel through transforms back to a servable; and what can be none."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.classic.to_saved_model import servable, to_saved_model
from mobile_export.errors import ConversionError, ModelError, OutputError
from mobile_export.graph_transform_tool.run import transform
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.graphs.protos import NodeDef
from mobile_export.network.freeze import freeze
from mobile_export.sources import SOURCES
from mobile_export.target import Model
from mobile_export.transform_string import parse_calls
from mobile_export.transforms.strip import strip
from tests.graph_text import parse
from tests.sources.training import tf, tf1

IRIS = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
HEAD = "head/predictions"


def estimator(folder: Path) -> dict[str, np.ndarray]:
    """A SavedModel with the graph, the names and the signatures of an Estimator's; and what it answers to IRIS."""
    rng = np.random.default_rng(1)
    with tf.Graph().as_default() as graph, tf1.Session() as session:
        x = tf1.placeholder(tf.float32, [None, 4], "x")
        hidden: Any = tf.identity(x, "dnn/input_from_feature_columns/input_layer/concat")
        for layer, units in (("dnn/hiddenlayer_0", 32), ("dnn/logits", 3)):
            with tf1.variable_scope(layer):
                weights = rng.normal(size=(hidden.shape[1], units)).astype(np.float32)
                kernel = tf1.get_variable("kernel/part_0", initializer=weights, use_resource=False)
                bias = tf1.get_variable("bias/part_0", initializer=np.full(units, 0.1, np.float32), use_resource=False)
                hidden = tf.nn.bias_add(tf.matmul(hidden, kernel), bias)
                hidden = tf.nn.relu(hidden) if units == 32 else hidden
        with tf1.name_scope(HEAD):
            outputs = {
                "logits": tf.identity(hidden, "logits"),
                "probabilities": tf.nn.softmax(hidden, name="probabilities"),
                "class_ids": tf.expand_dims(tf.argmax(hidden, -1), -1, name="class_ids"),
            }
        tf1.train.get_or_create_global_step()
        session.run(tf1.global_variables_initializer())
        signed = tf1.saved_model.build_signature_def(
            {"x": tf1.saved_model.build_tensor_info(x)},
            {name: tf1.saved_model.build_tensor_info(tensor) for name, tensor in outputs.items()},
            "tensorflow/serving/predict",
        )
        builder = tf1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signed, "predict": signed}, strip_default_attrs=True
        )
        builder.save()
        assert graph.get_tensor_by_name(f"{HEAD}/class_ids:0").dtype == tf.int64
        return dict(zip(outputs, session.run(list(outputs.values()), {x: IRIS}), strict=True))


def frozen(folder: Path, outputs: list[str]) -> tuple[Graph, Graph]:
    """The model as it was saved; and what its `outputs` need, with constants for variables."""
    trained = SOURCES["saved_model"].read(Model(source=folder))
    wanted = tuple(TensorSpec(name, f"{name}:0", "", None) for name in outputs)
    return trained.graph, freeze(strip(replace(trained.graph, outputs=wanted)), trained.value)


def serve(folder: Path, **given: np.ndarray) -> dict[str, np.ndarray]:
    function = tf.saved_model.load(str(folder)).signatures["serving_default"]
    return {name: answer.numpy() for name, answer in function(**{k: tf.constant(v) for k, v in given.items()}).items()}


CLEAN = (
    "remove_nodes(op=Identity) merge_duplicate_nodes strip_unused_nodes fold_constants(ignore_errors=true) "
    "fold_batch_norms"
)


@pytest.mark.parametrize("transforms", [CLEAN, f"{CLEAN} quantize_nodes quantize_weights(minimum_size=16)"])
def test_an_estimator_goes_through_transforms_back_to_a_servable(transforms: str, tmp_path: Path) -> None:
    expected = estimator(tmp_path / "before")
    wanted = [f"{HEAD}/class_ids", f"{HEAD}/probabilities"]
    saved, graph = frozen(tmp_path / "before", wanted)
    done = transform(graph, ["x"], wanted, parse_calls(transforms)).graph
    to_saved_model(tmp_path / "after/1", done, signed=saved)
    answers = serve(tmp_path / "after/1", x=IRIS)
    assert answers.keys() == {"class_ids", "probabilities"}
    quantized = "quantize_nodes" in transforms
    assert any("Quantized" in node.op for node in done.nodes.values()) == quantized
    np.testing.assert_array_equal(answers["class_ids"], expected["class_ids"])
    np.testing.assert_allclose(
        answers["probabilities"], expected["probabilities"], rtol=0, atol=0.1 if quantized else 1e-6
    )


def test_the_signature_has_types_and_shapes(tmp_path: Path) -> None:
    estimator(tmp_path / "before")
    _, graph = frozen(tmp_path / "before", [f"{HEAD}/class_ids"])
    done = transform(graph, ["x"], [f"{HEAD}/class_ids"], []).graph
    to_saved_model(tmp_path / "after", done)
    meta = tf1.saved_model.load(tf1.Session(graph=tf.Graph()), ["serve"], str(tmp_path / "after"))
    signed = meta.signature_def["serving_default"]
    assert list(signed.inputs) == ["x"]
    assert list(signed.outputs) == ["class_ids"]  # the last part of its name
    assert signed.outputs["class_ids"].name == f"{HEAD}/class_ids:0"
    assert signed.outputs["class_ids"].dtype == tf.int64
    assert [dim.size for dim in signed.outputs["class_ids"].tensor_shape.dim] == [-1, 1]
    assert [dim.size for dim in signed.inputs["x"].tensor_shape.dim] == [-1, 4]
    assert signed.method_name == "tensorflow/serving/predict"
    assert [path.name for path in tmp_path.iterdir() if path.name != "before"] == ["after"]


TEXT = """
image/raw = Placeholder float32[?,8]
unused = Placeholder float32[?]
image/scaled = Mul(image/raw, image/raw)
w = Const float32[8,3] ~1
net/logits = MatMul(image/scaled, w) transpose_a=false transpose_b=false
"""


def classic(inputs: list[str], outputs: list[str], text: str = TEXT) -> Graph:
    """A graph as classic tools have it: names of inputs and outputs, and nothing else about them."""
    return transform(parse(text), inputs, outputs, []).graph


def test_an_input_in_the_middle_cuts_off_what_is_before_it(tmp_path: Path) -> None:
    made = to_saved_model(tmp_path / "m", classic(["image/scaled"], ["net/logits"]))
    assert [str(spec) for spec in (*made.inputs, *made.outputs)] == [
        "scaled: float32[?,8] (image/scaled:0)",
        "logits: float32[?,3] (net/logits:0)",
    ]
    assert set(made.nodes) == {"image/scaled", "w", "net/logits"}
    value = np.ones((2, 8), np.float32)
    np.testing.assert_allclose(serve(tmp_path / "m", scaled=value)["logits"], value @ made.constants["w"], rtol=1e-6)


def test_names_are_those_of_the_signature_and_no_two_are_alike() -> None:
    graph = classic(["image/raw"], ["net/logits", "net/logits:0", "image/scaled"])
    signed = replace(graph, outputs=(TensorSpec("scores", "net/logits:0", "float32", (-1, 3)),), inputs=())
    assert [spec.name for spec in servable(graph, signed).outputs] == ["scores", "scores_1", "scaled"]


def test_what_is_typed_is_taken_as_it_is() -> None:
    graph = classic(["image/raw"], ["net/logits"])
    graph.inputs = (TensorSpec("picture", "image/raw:0", "float32", (1, 8)),)
    graph.outputs = (TensorSpec("sums", "net/logits:0", "float32", None),)
    made = servable(graph)
    assert (made.inputs, made.outputs) == (graph.inputs, graph.outputs)


def test_operators_that_are_never_run_are_written_as_they_were_signed(tmp_path: Path) -> None:
    graph = classic(["image/raw"], ["net/logits"])
    graph.nodes["image/scaled"].op = "SomebodysOwn"
    signed = replace(graph, inputs=(), outputs=(TensorSpec("scores", "net/logits:0", "float32", (-1, 3)),))
    assert str(servable(graph, signed).outputs[0]) == "scores: float32[?,3] (net/logits:0)"
    assert str(servable(graph).outputs[0]) == "logits: float32[...] (net/logits:0)"  # as the node itself says
    graph.nodes["net/logits"].op = "AnotherOne"
    with pytest.raises(ModelError, match="type of 'net/logits:0' is not known"):
        servable(graph)


@pytest.mark.parametrize(("op", "why"), [("VariableV2", "freeze the graph first"), ("HashTableV2", "lookup table")])
def test_what_nothing_would_fill_is_refused(op: str, why: str, tmp_path: Path) -> None:
    graph = classic(["image/raw"], ["net/logits"])
    graph.nodes["held"] = NodeDef(name="held", op=op)
    to_saved_model(tmp_path / "fine", graph)  # nothing needs it
    graph.nodes["net/logits"].input.append("^held")
    with pytest.raises(ModelError, match=why):
        to_saved_model(tmp_path / "m", graph)
    assert not (tmp_path / "m").exists()


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    graph = classic(["image/raw"], ["net/logits"])
    (tmp_path / "empty").mkdir()
    to_saved_model(tmp_path / "empty", graph)
    before = (tmp_path / "empty/saved_model.pb").read_bytes()
    (tmp_path / "file").write_text("mine")
    for name in ("empty", "file"):
        with pytest.raises(OutputError, match=rf"{name}: is there already"):
            to_saved_model(tmp_path / name, graph)
    with pytest.raises(OutputError, match=r"below: cannot be written"):
        to_saved_model(tmp_path / "file/below", graph)
    assert (tmp_path / "empty/saved_model.pb").read_bytes() == before


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    graph = classic(["image/raw"], ["net/logits"])
    with pytest.raises(ModelError, match=r"missing\.txt: no such file"):
        to_saved_model(tmp_path / "m", graph, assets={"labels.txt": tmp_path / "missing.txt"})
    graph.set_constant("w", np.zeros((8, (1 << 26) - 1), np.float32))
    graph.outputs = (replace(graph.outputs[0], dtype="float32"),)
    with pytest.raises(ConversionError, match=r"^m: its graph has 21\d+ bytes"):
        to_saved_model(tmp_path / "m", graph)
    assert not list(tmp_path.iterdir())
