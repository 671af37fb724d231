"""New values may have 2 GB, or four times what a graph stores, where that is more."""

import numpy as np
import pytest

from mobile_export.graph_transform_tool import memory
from mobile_export.graph_transform_tool.memory import memory_limit
from mobile_export.graphs.graph import Graph


def test_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph(constants={"repeated": np.broadcast_to(np.float32(1), (1 << 40,))})
    assert memory_limit(graph) == 1 << 31
    graph.constants["stored"] = np.zeros(100, np.float32)
    monkeypatch.setattr(memory, "LARGEST_FILL", 1000)
    assert memory_limit(graph) == 1600
