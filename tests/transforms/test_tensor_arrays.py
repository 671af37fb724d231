"""Arrays of TensorFlow 1's loops made lists, with the same bits; and those that stay, since a list would differ."""

from typing import Any

import pytest

from mobile_export.transforms import Transform, apply
from mobile_export.transforms.tensor_arrays import replace_tensor_arrays
from tests.loops import LAYERS, SHAPE, Build, X, growing, loop_graph, tf, tf1


def operators(graph: Any, start: str) -> list[str]:
    return sorted(node.op for node in graph.nodes.values() if node.op.startswith(start))


@pytest.mark.parametrize("build", [b for n, b in LAYERS.items() if n != "stacked"], ids=lambda build: build.__name__)
def test_answers_are_the_same_bits(build: Build) -> None:
    graph = loop_graph(build, version=1)
    lists, (applied,) = apply(graph, [("lists", Transform(replace_tensor_arrays))], X)
    assert (operators(lists, "TensorArray"), applied.difference) == ([], 0.0)
    assert operators(lists, "TensorListStack")
    assert operators(graph, "TensorArray"), "what was given is not changed"


def test_a_layer_on_a_layer_waits_for_the_first_ones_size() -> None:
    lists = replace_tensor_arrays(loop_graph(LAYERS["stacked"], version=1))
    assert operators(lists, "TensorArrayV3") == ["TensorArrayV3"] * 2
    assert operators(lists, "TensorListReserve") == ["TensorListReserve"]


def gathered_in_part(x: Any) -> Any:
    return tf.TensorArray(tf.float32, 6).unstack(x[0]).gather([4, 1])


def scattered_in_another_order(x: Any) -> Any:
    return tf.TensorArray(tf.float32, 2).scatter([1, 0], x[0, :2]).stack()


def filled_twice(x: Any) -> Any:
    return tf.TensorArray(tf.float32, 6).write(0, x[0, 0]).scatter([1, 2, 3, 4, 5], x[0, 1:]).stack()


def longer_than_what_is_in_it(x: Any) -> Any:
    return tf.TensorArray(tf.float32, 9).unstack(x[0]).read(2)


def of_unknown_size(x: Any) -> Any:
    size = tf.cast(tf.reduce_sum(x * 0.0), tf.int32) + 6
    return tf.TensorArray(tf.float32, size).unstack(x[0]).stack()


def written_on_two_ways(x: Any) -> Any:
    """Both writes begin at the array's first flow; what is read behind the second is there for the first one alone."""
    empty = tf.TensorArray(tf.float32, 2, element_shape=[3])
    first, second = empty.write(0, x[0, 0]), empty.write(1, x[0, 1])
    with tf.control_dependencies([first.flow]):
        return second.stack()


def seen_through_an_old_flow(x: Any) -> Any:
    empty = tf.TensorArray(tf.float32, 2, element_shape=[3])
    kept = tf.identity(empty.flow)
    with tf.control_dependencies([empty.write(0, x[0, 0]).write(1, x[0, 1]).flow]):
        flow = tf.identity(kept)
    return tf1.raw_ops.TensorArrayGatherV3(
        handle=empty.handle, indices=[0, 1], flow_in=flow, dtype=tf.float32, element_shape=[3]
    )


def joined(x: Any) -> Any:
    return tf.TensorArray(tf.float32, 6, infer_shape=False).unstack(x[0][:, None]).concat()


def another_ones_flow(x: Any) -> Any:
    """The handle of one array with the flow of another."""
    first, second = (tf.TensorArray(tf.float32, 6).unstack(x[0] * k) for k in (1.0, 2.0))
    with tf.control_dependencies([second.flow]):
        return tf1.raw_ops.TensorArrayReadV3(handle=second.handle, index=2, flow_in=first.flow, dtype=tf.float32)


@pytest.mark.parametrize(
    "build",
    [
        growing,
        gathered_in_part,
        scattered_in_another_order,
        filled_twice,
        longer_than_what_is_in_it,
        of_unknown_size,
        written_on_two_ways,
        seen_through_an_old_flow,
        joined,
        another_ones_flow,
    ],
    ids=lambda build: build.__name__,
)
def test_what_a_list_would_do_otherwise_stays(build: Build) -> None:
    graph = loop_graph(build, version=1, passes=("strip",))  # others drop the control edges that these need
    assert operators(graph, "TensorArray")
    lists = replace_tensor_arrays(graph)
    assert operators(lists, "TensorList") == []
    assert lists.same_as(graph)


def test_a_flow_that_is_given_out_stays() -> None:
    graph = loop_graph(lambda x: tf.TensorArray(tf.float32, SHAPE[1]).unstack(x[0]).flow, version=1)
    assert replace_tensor_arrays(graph).same_as(graph)
