"""Graphs that TensorFlow 1's functions make."""

from collections.abc import Callable, Sequence

from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.session import import_tensorflow
from tests.loops import control_flow

tf = import_tensorflow()
tf1 = tf.compat.v1


def graph_of(build: Callable[[], None], inputs: Sequence[str], outputs: Sequence[str]) -> Graph:
    """The graph that `build` makes, loops in the form of TensorFlow 1."""
    with control_flow(1), tf.Graph().as_default() as made:
        build()

    def spec(tensor: str) -> TensorSpec:
        found = made.get_tensor_by_name(f"{tensor}:0")
        shape = None if found.shape.rank is None else tuple(-1 if d is None else d for d in found.shape)
        return TensorSpec(tensor, f"{tensor}:0", found.dtype.base_dtype.name, shape)

    return Graph.from_graph_def(made.as_graph_def(), map(spec, inputs), map(spec, outputs))
