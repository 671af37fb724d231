"""The page's graphs: operators counted side by side, and nodes that link to their inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

from mobile_export.compare.result import GraphSummary


@dataclass(frozen=True)
class OperatorCount:
    """How many nodes of an operator each graph has."""

    operator: str
    counts: tuple[int, ...]

    @property
    def difference(self) -> int:
        """How many more the last graph has than the first."""
        return self.counts[-1] - self.counts[0]


def operator_counts(graphs: Sequence[GraphSummary]) -> list[OperatorCount]:
    """Every operator of any of the graphs, most frequent first."""
    operators = dict.fromkeys(operator for graph in graphs for operator in graph.operators)
    found = [OperatorCount(name, tuple(graph.operators.get(name, 0) for graph in graphs)) for name in operators]
    return sorted(found, key=lambda count: (-max(count.counts), count.operator))


def links(graph: GraphSummary) -> dict[str, int]:
    """Where in the listing each node stands, by its name."""
    return {node.name: index for index, node in enumerate(graph.listing)}
