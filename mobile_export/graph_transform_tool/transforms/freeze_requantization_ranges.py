"""Ranges that were seen in place of ranges that are computed."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from mobile_export.errors import ModelError, nearest
from mobile_export.graph_transform_tool.colocation import update_colocations
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph, control_inputs, data_inputs, node_name
from mobile_export.transforms.patterns import gated_nodes

_PRINT = "__print__"
_RANGE = re.compile(r"__requant_min_max:\[([^][]*)\][^][]*\[([^][]*)\][^][]*")

Ranges = dict[str, list[tuple[float, float]]]
"""Of each node, each minimum and maximum that was seen."""


def freeze_requantization_ranges(graph: Graph, parameters: Parameters) -> Graph:
    """Replace computed ranges by those that a log has of them.

        Requantize(…, r:0, r:1), r = RequantizationRange(…)  =>  Requantize(…, r/frozen_min, r/frozen_max)

    The log `min_max_log_file` is what a graph printed after insert_logging(op=RequantizationRange, show_name=true,
    message="__requant_min_max:"). Of the minima the `min_percentile`th percentile is taken, and of the maxima that many
    from above.
    """
    path = Path(parameters.string("min_max_log_file"))
    low, high = _fraction(parameters, "min_percentile"), 1 - _fraction(parameters, "max_percentile")
    ranges = _read(path, parameters)
    _check(ranges, graph, path)
    graph = graph.copy()
    gated = gated_nodes(graph)
    frozen: dict[str, tuple[str, str]] = {}
    for name, seen in ranges.items():
        node = graph.nodes[name]
        minimum = _percentile((value for value, _ in seen), low)
        maximum = _percentile((value for _, value in seen), high)
        frozen[name] = (
            graph.add_constant(f"{name}/frozen_min", np.array(minimum)),
            graph.add_constant(f"{name}/frozen_max", np.array(maximum)),
        )
        waits = [*control_inputs(node), *(f"^{node_name(i)}" for i in data_inputs(node)[:1] if name in gated)]
        for constant in frozen[name]:
            graph.nodes[constant].input.extend(waits)
    graph.redirect({f"{name}:{port}": constant for name, pair in frozen.items() for port, constant in enumerate(pair)})
    for node in graph.nodes.values():
        waited = [frozen.get(node_name(i)) if i.startswith("^") else None for i in node.input]
        node.input[:] = [f"^{pair[0]}" if pair else i for i, pair in zip(node.input, waited, strict=True)]
    graph.remove(frozen)
    update_colocations(graph, {name: minimum for name, (minimum, _) in frozen.items()})
    return graph


def _fraction(parameters: Parameters, name: str) -> np.float32:
    percent = parameters.number(name, 5.0)
    if not 0 <= percent <= 100:
        raise parameters.error(f"{name}: {percent:g} is no percentile; write a number from 0 to 100")
    return np.float32(percent) / np.float32(100)


def _read(path: Path, parameters: Parameters) -> Ranges:
    """What the log `path` has."""
    ranges: Ranges = defaultdict(list)
    if "\0" in str(path):
        raise parameters.error(f"min_max_log_file: {str(path)!r} has a NUL, which no path can have; name the log")
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
            for number, line in enumerate(lines, 1):
                for name, minimum, maximum in _records(line):
                    if not abs(minimum) + abs(maximum) < np.finfo(np.float32).max:
                        raise parameters.error(f"min_max_log_file: {path}, line {number}: the range is not finite")
                    ranges[name].append((minimum, maximum))
    except OSError as error:
        raise parameters.error(f"min_max_log_file: {path} cannot be read ({error.strerror}); name the log") from error
    if not ranges:
        raise parameters.error(
            f"min_max_log_file: {path} has no line with NODE__print__;__requant_min_max:[MIN][MAX]; name the log of a "
            "graph with prints"
        )
    return ranges


def _records(line: str) -> Iterator[tuple[str, float, float]]:
    """The node, minimum and maximum that a line of a log is about, if it is about any; its last ones."""
    parts = [(before, _RANGE.fullmatch(part)) for before, part in pairwise(line.rstrip("\n").split(";"))]
    found = [(before.removesuffix(_PRINT), match) for before, match in parts if match and before.endswith(_PRINT)]
    for name, match in found[-1:]:
        try:
            yield name, float(match[1]), float(match[2])
        except ValueError:  # other text between brackets
            return


def _check(ranges: Ranges, graph: Graph, path: Path) -> None:
    """Hold the nodes of which there are ranges to those that the graph has."""
    for name in ranges:
        if name not in graph.nodes:
            raise ModelError(
                f"{path} has a range of the node {name!r}, and the graph has no such node{nearest(name, graph.nodes)}; "
                "name the log of this graph"
            )
        if graph.nodes[name].op != "RequantizationRange":
            raise ModelError(
                f"{path} has a range of the node {name!r}, which is {graph.nodes[name].op}; name the log of this graph"
            )


def _percentile(values: Iterable[float], fraction: np.float32) -> np.float32:
    """The value that `fraction` of the others are below."""
    ordered = sorted(values)
    index = int(np.floor(np.float32(len(ordered)) * fraction + np.float32(0.5)))
    return np.float32(ordered[min(max(index, 0), len(ordered) - 1)])
