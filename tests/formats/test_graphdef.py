"""The frozen GraphDef: TensorFlow itself loads it, by its public names."""

import numpy as np
import pytest

from mobile_export.errors import ConversionError
from mobile_export.formats import FORMATS, Request
from mobile_export.graphs.protos import GraphDef
from mobile_export.runner import run_samples
from mobile_export.session import Session, import_tensorflow
from tests.graph_text import parse

GRAPH = """
left = Placeholder float32[?,3]
image = Placeholder float32[?,3]
w = Const float32[3,4] ~1
m = MatMul(left, w) transpose_a=false transpose_b=false
n = MatMul(image, w) transpose_a=false transpose_b=false
sum = Add(m, n)
scores = Relu(sum)
input image = left:0
input other = image:0
output scores = sum:0
output positive = scores:0
"""
"""Public names that collide with names inside, on purpose."""

RNG = np.random.default_rng(0)
SAMPLES = {name: RNG.normal(size=(5, 3)).astype(np.float32) for name in ("image", "other")}


@pytest.mark.parametrize("name", ["graphdef", "memmapped"])
def test_file_answers_as_the_graph_does(name: str, tmp_path) -> None:
    graph = parse(GRAPH)
    path = tmp_path / f"model{FORMATS[name].suffix}"
    FORMATS[name].write(graph, [Request("model", path)], None)
    runner = FORMATS[name].open(path)
    assert [edge.name for edge in runner.inputs] == ["image", "other"]
    assert [edge.name for edge in runner.outputs] == ["scores", "positive"]
    expected, answers = run_samples(Session(graph), SAMPLES), run_samples(runner, SAMPLES)
    for output, array in expected.items():
        np.testing.assert_array_equal(answers[output], array)


@pytest.mark.parametrize("name", ["graphdef", "memmapped"])
def test_same_graph_same_bytes(name: str, tmp_path) -> None:
    requests = [Request("a", tmp_path / "a"), Request("b", tmp_path / "b")]
    FORMATS[name].write(parse(GRAPH), requests, None)
    assert requests[0].path.read_bytes() == requests[1].path.read_bytes()


def test_tensorflow_runs_it_by_public_names(tmp_path) -> None:
    path = tmp_path / "model.pb"
    FORMATS["graphdef"].write(parse(GRAPH), [Request("model", path)], None)
    tf = import_tensorflow()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(GraphDef.FromString(path.read_bytes()), name="")
        answer = session.run("positive:0", {"image:0": SAMPLES["image"], "other:0": SAMPLES["other"]})
    np.testing.assert_array_equal(answer, run_samples(Session(parse(GRAPH)), SAMPLES)["positive"])


@pytest.mark.parametrize("content", [b"", b"no graph", GraphDef().SerializeToString()])
def test_what_is_no_such_file_is_refused(content: bytes, tmp_path) -> None:
    path = tmp_path / "model.pb"
    path.write_bytes(content)
    with pytest.raises(ConversionError, match=r"model\.pb"):
        FORMATS["graphdef"].open(path)
