"""Our transforms beside the original's, on one graph.

    agree(graph, "fold_batch_norms")       exact: same nodes, operators, inputs, attributes, values; order aside
    same_answers(graph, "…")               equal in meaning: both results answer alike in TensorFlow
    ours_is_better(graph, "…")             the original is wrong here: what each makes of it, for the test to compare

The graph is a `Graph` (tests.graph_text.parse writes them as text); its inputs and outputs are the tool's. How many
cases of each there were is printed at the end of the run.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graph import Graph, short
from mobile_export.graph_transform_tool.run import transform
from mobile_export.ops import RUNNABLE
from mobile_export.protos import NodeDef
from mobile_export.session import Session
from mobile_export.tensors import Array
from mobile_export.transform_string import parse_calls
from mobile_export.transforms import relative_difference
from tests.graph_transform_tool.original import OriginalAborted, OriginalError, original

DEFAULT_TOLERANCE = 2e-6
"""Relative: kernels round differently from one version of TensorFlow to another."""

TALLY: Counter[tuple[str, str]] = Counter()
"""Cases by (transforms, kind)."""


def ours(graph: Graph, transforms: str) -> Graph:
    """What our transforms make of `graph`."""
    inputs, outputs = _edges(graph)
    return transform(graph, inputs, outputs, parse_calls(transforms)).graph


def theirs(graph: Graph, transforms: str) -> Graph:
    """What the original makes of `graph`."""
    inputs, outputs = _edges(graph)
    return Graph.from_graph_def(original(graph.to_graph_def(), inputs, outputs, transforms))


def tally(transforms: str, kind: str) -> None:
    """Count a case."""
    TALLY[" ".join(call.name for call in parse_calls(transforms)), kind] += 1


def ours_is_better(graph: Graph, transforms: str) -> tuple[Graph, Graph | Exception]:
    """What each makes of a graph where the original is wrong; an exception where it refuses or dies."""
    tally(transforms, "better")
    try:
        expected: Graph | Exception = theirs(graph, transforms)
    except (OriginalError, OriginalAborted, ModelError) as error:
        expected = error
    return ours(graph, transforms), expected


def answers(graph: Graph, like: Graph, seed: int = 0) -> list[Array]:
    """The outputs of `graph` in TensorFlow, for random values of the inputs of `like` (unknown sizes are 2)."""
    rng = np.random.default_rng(seed)
    feeds = {
        spec.tensor: rng.normal(size=[2 if size < 0 else size for size in spec.shape or ()]).astype(spec.dtype)
        for spec in like.inputs
    }
    with Session(
        replace(graph, inputs=(), outputs=()), allowed=RUNNABLE | {node.op for node in graph.nodes.values()}
    ) as session:
        return session.evaluate([spec.tensor for spec in like.outputs], feeds)


def same_answers(graph: Graph, transforms: str, tolerance: float = 1e-5) -> Graph:
    """Hold ours to the answers of the original's result, relative to their largest magnitude; returns ours."""
    tally(transforms, "equal in meaning")
    found, expected = ours(graph, transforms), theirs(graph, transforms)
    for one, other in zip(answers(found, graph), answers(expected, graph), strict=True):
        assert relative_difference(other, one) <= tolerance
    return found


def agree(
    graph: Graph,
    transforms: str,
    order: bool = False,
    tolerance: float = DEFAULT_TOLERANCE,
    ignored_attributes: Sequence[str] = (),
    normal: Callable[[Graph], Graph] = lambda graph: graph,
) -> Graph:
    """Hold ours to the original's result, and return it; both are compared in the form that `normal` brings them to."""
    tally(transforms, "equal in meaning" if ignored_attributes else "exact")
    result = ours(graph, transforms)
    found, expected = normal(result), normal(theirs(graph, transforms))
    assert sorted(found.nodes) == sorted(expected.nodes)
    if order:
        assert list(found.nodes) == list(expected.nodes)
    for name, node in expected.nodes.items():
        assert _described(found.nodes[name], ignored_attributes) == _described(node, ignored_attributes)
        if name in expected.constants:
            _same_values(name, found.constants[name], expected.constants[name], tolerance)
    assert found.constants.keys() == expected.constants.keys()
    return result


def _edges(graph: Graph) -> tuple[list[str], list[str]]:
    return [short(spec.tensor) for spec in graph.inputs], [short(spec.tensor) for spec in graph.outputs]


def _described(node: NodeDef, ignored: Sequence[str]) -> tuple[object, ...]:
    attributes = {key: value.SerializeToString(deterministic=True) for key, value in node.attr.items()}
    kept = {key: value for key, value in attributes.items() if key not in ignored}
    return node.name, node.op, node.device, [short(i) for i in node.input], kept


def _same_values(name: str, found: Array, expected: Array, tolerance: float) -> None:
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape), name
    if found.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=0, err_msg=name)
    else:
        np.testing.assert_array_equal(found, expected, err_msg=name)
