"""Attributes that a graph was saved without."""

from typing import Any

import numpy as np

from mobile_export.graphs.graph import Graph
from mobile_export.session import import_tensorflow
from mobile_export.transforms.add_default_attributes import add_default_attributes

tf = import_tensorflow()


def graph_of(build: Any) -> Any:
    with tf.Graph().as_default() as made:
        build(tf.compat.v1.placeholder(tf.float32, [1, 4, 4, 2], "x"))
    return made.as_graph_def()


def stripped(graph_def: Any) -> Graph:
    """As a SavedModel without defaults has it."""
    from tensorflow.python.framework import op_def_registry

    kept = tf.compat.v1.GraphDef()
    kept.CopyFrom(graph_def)
    for node in [*kept.node, *(node for function in kept.library.function for node in function.node_def)]:
        definition = op_def_registry.get(node.op)
        for attribute in definition.attr if definition else ():
            if attribute.HasField("default_value") and node.attr.get(attribute.name) == attribute.default_value:
                del node.attr[attribute.name]
    return Graph.from_graph_def(kept)


def layers(x: Any) -> None:
    ones = tf.constant(np.ones(2, np.float32))
    y = tf.compat.v1.nn.fused_batch_norm(x, ones, ones, ones, ones, epsilon=1e-4, is_training=False)[0]
    tf.nn.leaky_relu(tf.nn.max_pool2d(y, 2, 2, "SAME"), alpha=0.2, name="y")


def test_what_was_left_out_comes_back() -> None:
    whole = graph_of(layers)
    graph = stripped(whole)
    assert any(len(graph.nodes[node.name].attr) < len(node.attr) for node in whole.node)
    done = add_default_attributes(graph)
    for node in whole.node:
        for key, value in node.attr.items():
            if key != "value":
                assert done.nodes[node.name].attr[key] == value


def test_functions_too_and_the_given_graph_stays_as_it_was() -> None:
    @tf.function
    def body(x: Any) -> Any:
        return tf.nn.leaky_relu(x, alpha=0.2)

    graph = stripped(graph_of(body))
    (inner,) = [n for function in graph.library.function for n in function.node_def if n.op == "LeakyRelu"]
    assert "alpha" not in inner.attr
    (done,) = [
        n
        for function in add_default_attributes(graph).library.function
        for n in function.node_def
        if n.op == "LeakyRelu"
    ]
    assert done.attr["alpha"].f == np.float32(0.2)
    assert "alpha" not in inner.attr


def test_unknown_operators_stay() -> None:
    graph_def = graph_of(layers)
    graph_def.node.add(name="z", op="NoSuchOp", input=["y"])
    assert not add_default_attributes(Graph.from_graph_def(graph_def)).nodes["z"].attr
