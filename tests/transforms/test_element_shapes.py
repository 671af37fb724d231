"""What loops collect has a shape that is known before they run, where it is; with the same bits."""

from typing import Any

import numpy as np
import pytest

from mobile_export.graphs.graph import Graph
from mobile_export.transforms import Transform, apply
from mobile_export.transforms.element_shapes import fix_element_shapes
from mobile_export.transforms.fix_shapes import fix_shapes
from mobile_export.transforms.tensor_arrays import replace_tensor_arrays
from tests.loops import LAYERS, SHAPE, Build, X, loop_graph, mapped_twice, recurrent, tf, weights

INPUT = {"TensorListFromTensor": 1, "TensorListReserve": 0, "TensorListStack": 1}


def shapes(graph: Graph) -> list[list[int]]:
    """What lists of the graph itself say of their elements; [-1] for what is only known when it runs."""
    read = [node.input[INPUT[node.op]] for node in graph.nodes.values() if node.op in INPUT]
    return sorted(np.atleast_1d(graph.constants.get(name, np.array(-1))).tolist() for name in read)


def fixed(graph: Graph) -> Graph:
    after, (applied,) = apply(graph, [("shapes", Transform(fix_element_shapes))], X)
    assert applied.difference == 0.0
    return after


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("build", LAYERS.values(), ids=LAYERS)
def test_shapes_are_inferred(build: Build, version: int) -> None:
    graph = replace_tensor_arrays(loop_graph(build, version))
    before = graph.library.SerializeToString(deterministic=True)
    after = fixed(graph)
    assert shapes(after)
    assert all(min(shape, default=0) >= 0 for shape in shapes(after)), shapes(after)
    assert graph.library.SerializeToString(deterministic=True) == before, "what was given is not changed"
    assert fix_element_shapes(after).same_as(after)


def test_in_a_loops_body() -> None:
    graph = fix_shapes(loop_graph(mapped_twice, 2, (-1, -1, 3)), {"x": SHAPE})
    after = fixed(graph)
    written = [
        np.frombuffer(node.attr["value"].tensor.tensor_content, np.int32).tolist()
        for function in after.library.function
        for node in function.node_def
        if "/element_shape" in node.name and node.attr["value"].tensor.tensor_content
    ]
    assert written.count([6]) == 3, "read, filled and stacked"
    assert [3, 6] in shapes(after)


def test_unknown_sizes_stay() -> None:
    graph = loop_graph(recurrent, 2, (-1, 6, 3))
    after = fixed(graph)
    assert [-1, 3] in shapes(after)
    assert after.same_as(graph)


def test_sizes_that_hang_on_values_stay() -> None:
    def build(x: Any) -> Any:
        rows = tf.cast(tf.reduce_sum(tf.cast(x > 0.0, tf.float32)), tf.int32)
        return tf.map_fn(lambda step: tf.tile(step[None], [rows, 1]), x[0])

    graph = loop_graph(build, version=2)
    assert any(min(shape, default=0) < 0 for shape in shapes(fixed(graph)))


def test_a_function_that_is_called_with_two_shapes_stays() -> None:
    """Its constants are the same for both calls."""

    def build(x: Any) -> Any:
        doubled = tf.function(
            lambda steps: tf.map_fn(lambda step: step * 2.0, steps),
            input_signature=[tf.TensorSpec([None, None], tf.float32)],
        )

        def body(t: Any, total: Any) -> tuple[Any, Any]:
            return t + 1, total + tf.reduce_sum(doubled(x[0])) + tf.reduce_sum(doubled(tf.matmul(x[0], weights(3, 2))))

        return tf.while_loop(lambda t, _: t < 3, body, (0, 0.0))[1]

    graph = loop_graph(build, 2, passes=("strip",))  # others put functions where they are called
    inner = [node.op for function in graph.library.function for node in function.node_def]
    assert inner.count("PartitionedCall") + inner.count("StatefulPartitionedCall") == 2
    assert fixed(graph).same_as(graph)
