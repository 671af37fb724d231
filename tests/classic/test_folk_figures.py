"""What everybody says of the classic transforms, measured: sizes as they are, and after deflate."""

import io
import zlib

import numpy as np
import pytest

from mobile_export.graph_files.graph_def import write_graph_def
from mobile_export.graph_transform_tool.run import transform
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.transform_string import parse_calls

RNG = np.random.default_rng(0)
SIZE = 1_000_000
WEIGHTS = {"normal": RNG.normal(size=SIZE), "uniform": RNG.uniform(-1, 1, SIZE)}


def sizes(weights: np.ndarray, transforms: str) -> tuple[float, float]:
    """Bytes of the graph after `transforms`, and of its deflated form, over those of the graph before."""
    graph = Graph(outputs=(TensorSpec("w", "w:0", "float32", weights.shape),))
    graph.set_constant("w", weights.astype(np.float32))
    before = serialized(graph)
    after = serialized(transform(graph, [], ["w"], parse_calls(transforms)).graph)
    return len(after) / len(before), len(zlib.compress(after)) / len(before)


def serialized(graph: Graph) -> bytes:
    file = io.BytesIO()
    write_graph_def(file, graph)
    return file.getvalue()


@pytest.mark.parametrize(("weights", "zipped"), [("normal", 0.335), ("uniform", 0.43)])
def test_rounded_weights_keep_their_size_and_zip_to_a_third(weights: str, zipped: float) -> None:
    plain, deflated = sizes(WEIGHTS[weights], "round_weights(num_steps=256)")
    print(f"round_weights, {weights}: {plain:.3f} of the bytes, {deflated:.3f} zipped")
    assert plain == pytest.approx(1)
    assert deflated == pytest.approx(zipped, abs=0.02)  # the wider the extremes lie, the fewer levels are in use


@pytest.mark.parametrize("weights", WEIGHTS)
def test_quantized_weights_are_a_quarter(weights: str) -> None:
    plain, deflated = sizes(WEIGHTS[weights], "quantize_weights")
    print(f"quantize_weights, {weights}: {plain:.3f} of the bytes, {deflated:.3f} zipped")
    assert plain == pytest.approx(0.25, abs=0.001)
    assert deflated <= plain * 1.001
