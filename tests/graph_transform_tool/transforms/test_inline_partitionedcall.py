"""inline_partitionedcall beside the original's."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mobile_export.errors import ConversionError
from mobile_export.graphs.graph import Graph, TensorSpec
from tests.graph_transform_tool.harness import agree, answers, ours, ours_is_better, theirs
from tests.graph_transform_tool.original import OriginalError
from tests.loops import tf, weights


def called(function: Callable[[Any], Any]) -> Graph:
    """A graph that calls `function`, and reads what it gives through an Identity."""
    concrete = tf.function(function, autograph=False).get_concrete_function(tf.TensorSpec([2, 3], tf.float32))
    with tf.Graph().as_default() as made:
        x = tf.compat.v1.placeholder(tf.float32, [2, 3], "x")
        tf.identity(concrete(x), "y")
    specs = (TensorSpec("x", "x:0", "float32", (2, 3)),), (TensorSpec("y", "y:0", "float32", (2, 2)),)
    return Graph.from_graph_def(made.as_graph_def(), *specs)


def dense(x: Any) -> Any:
    return tf.nn.relu(tf.matmul(x, tf.constant(weights(3, 2))))


def test_a_call() -> None:
    graph = called(dense)
    found = agree(graph, "inline_partitionedcall")
    np.testing.assert_array_equal(answers(found, graph), answers(graph, graph))


def test_a_call_in_a_function() -> None:
    inner = tf.function(dense, autograph=False)
    graph = called(lambda x: inner(x * 2.0) + 1.0)
    found, expected = ours_is_better(graph, "inline_partitionedcall")
    assert any(node.op == "PartitionedCall" for node in expected.nodes.values())
    assert not any(node.op == "PartitionedCall" for node in found.nodes.values())
    np.testing.assert_array_equal(answers(found, graph), answers(graph, graph))


def test_a_node_of_a_function_that_waits() -> None:
    def waiting(x: Any) -> Any:
        with tf.control_dependencies([tf.no_op()]):
            return tf.nn.relu(x[:, :2])

    graph = called(waiting)
    found, expected = ours_is_better(graph, "inline_partitionedcall")
    assert isinstance(expected, OriginalError)
    np.testing.assert_array_equal(answers(found, graph), answers(graph, graph))


def test_an_output_that_is_a_call_is_refused() -> None:
    """The original leaves a graph without it."""
    graph = called(dense)
    call = next(node.name for node in graph.nodes.values() if node.op == "PartitionedCall")
    graph.outputs = (replace(graph.outputs[0], tensor=f"{call}:0"),)
    assert call not in theirs(graph, "inline_partitionedcall").nodes
    with pytest.raises(ConversionError, match="is no longer there"):
        ours(graph, "inline_partitionedcall")
