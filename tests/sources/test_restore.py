"""Where the operators that restore variables, of every age, find them."""

from collections.abc import Callable
from typing import Any

import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph
from mobile_export.sources.restore import Place, places
from tests.sources.training import tf, tf1, variable


def restored(build: Callable[[Any], Any], restore: str = "restore") -> dict[str, Place]:
    """The places of `w`, and what else there is, in the graph where `build` makes what restores `w`."""
    with tf.Graph().as_default() as made:
        w = variable("w", 4, 3, resource=False)
        tf.group(build(w), name="restore")
    return dict(places(Graph.from_graph_def(made.as_graph_def()), restore))


def restore_v2(w: Any) -> Any:
    values = tf.raw_ops.RestoreV2(
        prefix="p", tensor_names=["other", "v/w"], shape_and_slices=["", "8 3 4,4:-"], dtypes=[tf.float32, tf.float32]
    )
    return tf1.assign(w, tf.identity(values[1]))


def restore_slice(w: Any) -> Any:
    value = tf.raw_ops.RestoreSlice(file_pattern="p", tensor_name="v/w", shape_and_slice="8 3 4,4:-", dt=tf.float32)
    return tf1.assign(w, value)


def restore_v1(w: Any) -> Any:
    return tf1.assign(w, tf.raw_ops.Restore(file_pattern="p", tensor_name="v/w", dt=tf.float32))


@pytest.mark.parametrize(
    ("build", "place"),
    [
        (restore_v2, Place("v/w", "8 3 4,4:-")),
        (restore_slice, Place("v/w", "8 3 4,4:-")),
        (restore_v1, Place("v/w")),
        (lambda w: tf1.assign(w, tf.zeros([4, 3])), None),
    ],
    ids=["V2", "V1 slice", "V1", "initialized"],
)
@pytest.mark.parametrize("restore", ["restore", "no_such_operator"])
def test_place(build: Callable[[Any], Any], place: Place | None, restore: str) -> None:
    assert restored(build, restore).get("w") == place


def test_only_the_saver_that_wrote_the_checkpoint_counts() -> None:
    def twice(w: Any) -> Any:
        tf.group(restore_slice(w), name="backbone")
        return restore_v1(w)

    assert restored(twice, "backbone")["w"] == Place("v/w", "8 3 4,4:-")
    assert restored(twice)["w"] == Place("v/w")


def handle(name: str) -> Any:
    return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[4, 3], shared_name="shared", name=name)


def assign(variable: Any) -> Any:
    return tf.raw_ops.AssignVariableOp(
        resource=variable, value=tf.raw_ops.Restore(file_pattern="p", tensor_name="v/w", dt=tf.float32)
    )


def restore_name(variable: Any) -> Any:
    """As functions that restore do: they give back the name."""
    with tf.control_dependencies([assign(variable)]):
        return tf.constant("p")


def test_nodes_of_one_shared_name_are_one_variable() -> None:
    def build(_: Any) -> Any:
        handle("again")
        return assign(handle("first"))

    assert restored(build) == {"first": Place("v/w"), "again": Place("v/w")}


def test_a_function_restores_what_it_is_given() -> None:
    outer = tf.function(lambda resource: tf.function(restore_name)(resource))
    assert restored(lambda _: outer(handle("first"))) == {"first": Place("v/w")}


def test_a_function_that_is_not_there_is_named() -> None:
    with tf.Graph().as_default() as made:
        tf.group(tf.function(restore_name)(handle("first")), name="restore")
    graph_def = made.as_graph_def()
    graph_def.library.Clear()
    with pytest.raises(
        ModelError, match=r"node 'restore' restores the variables through the function '__inference_restore_name"
    ):
        places(Graph.from_graph_def(graph_def), "restore")
