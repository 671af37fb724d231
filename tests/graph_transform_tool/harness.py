"""Our transforms beside the original's, on one graph.

    agree(graph, "fold_batch_norms")       same nodes, operators, inputs, attributes, values; order aside
    same_answers(graph, "…")               equal in meaning: both results answer alike in TensorFlow
    ours_is_better(graph, "…")             the original is wrong here: what each makes of it, for the test to compare

The graph is a `Graph` (tests.graph_text.parse writes them as text); its inputs and outputs are the tool's. How many
cases of each of `KINDS` held is printed at the end of the run.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graph_transform_tool.run import transform
from mobile_export.graphs.graph import Graph, short
from mobile_export.graphs.ops import RUNNABLE
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array
from mobile_export.session import Session
from mobile_export.transform_string import parse_calls
from mobile_export.transforms import relative_difference
from tests.graph_transform_tool.original import OriginalAborted, OriginalError, original

DEFAULT_TOLERANCE = 2e-6
"""Relative: kernels round differently from one version of TensorFlow to another."""

KINDS = ("exact", "exact up to rounding", "exact in normal form", "equal in meaning", "better")
"""How ours may stand beside the original's: the same bits; values within `DEFAULT_TOLERANCE`; the same once both are
brought to a normal form; the same answers, or all but some attributes; right where the original is wrong."""

TALLY: Counter[tuple[str, str]] = Counter()
"""Cases that held, by (transforms, kind)."""


def ours(graph: Graph, transforms: str) -> Graph:
    """What our transforms make of `graph`."""
    inputs, outputs = _edges(graph)
    return transform(graph, inputs, outputs, parse_calls(transforms)).graph


def theirs(graph: Graph, transforms: str) -> Graph:
    """What the original makes of `graph`."""
    inputs, outputs = _edges(graph)
    return Graph.from_graph_def(original(graph.to_graph_def(), inputs, outputs, transforms))


def tally(transforms: str, kind: str) -> None:
    """Count a case, which is one of `KINDS`."""
    assert kind in KINDS
    TALLY[" ".join(call.name for call in parse_calls(transforms)), kind] += 1


def ours_is_better(graph: Graph, transforms: str) -> tuple[Graph, Graph | Exception]:
    """What each makes of a graph where the original is wrong; an exception where it refuses or dies."""
    try:
        expected: Graph | Exception = theirs(graph, transforms)
    except (OriginalError, OriginalAborted, ModelError) as error:
        expected = error
    found = ours(graph, transforms)
    tally(transforms, "better")
    return found, expected


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
    found, expected = ours(graph, transforms), theirs(graph, transforms)
    for one, other in zip(answers(found, graph), answers(expected, graph), strict=True):
        assert relative_difference(other, one) <= tolerance
    tally(transforms, "equal in meaning")
    return found


def agree(
    graph: Graph,
    transforms: str,
    order: bool = False,
    ignored_attributes: Sequence[str] = (),
    normal: Callable[[Graph], Graph] | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
) -> Graph:
    """Hold ours to the original's result, and return it; both are compared in the form that `normal` brings them to."""
    result, expected = ours(graph, transforms), theirs(graph, transforms)
    found, expected = (normal(result), normal(expected)) if normal else (result, expected)
    assert sorted(found.nodes) == sorted(expected.nodes)
    if order:
        assert list(found.nodes) == list(expected.nodes)
    for name, node in expected.nodes.items():
        assert _described(found.nodes[name], ignored_attributes) == _described(node, ignored_attributes)
        if name in expected.constants:
            _same_values(name, found.constants[name], expected.constants[name], tolerance)
    assert found.constants.keys() == expected.constants.keys()
    same = all(_same_bits(found.constants[name], value) for name, value in expected.constants.items())
    exact = "exact in normal form" if normal else "exact" if same else "exact up to rounding"
    tally(transforms, "equal in meaning" if ignored_attributes else exact)
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


def _same_bits(one: Array, other: Array) -> bool:
    return np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()
