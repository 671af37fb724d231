import pytest

from mobile_export.graphs.graph import Graph
from mobile_export.kernels.attributes import without_newer_defaults
from mobile_export.kernels.needed import needed
from mobile_export.kernels.runtimes import INSTALLED, read_list, runtime_named
from tests.graph_text import parse
from tests.kernels.graphs import calls

MATMUL = """
a = Placeholder float32[2,2]
b = Placeholder float32[2,2]
y = MatMul(a, b) transpose_a=false transpose_b=false grad_a={grad}
output y = y:0
"""
LIST = "MatMul(T,transpose_a,transpose_b)\nMatMul<T=float32>\nPlaceholder"


def attributes(graph: Graph) -> set[str]:
    return set(graph.nodes["y"].attr)


def test_newer_attributes_at_their_defaults_are_left_out() -> None:
    graph = parse(MATMUL.format(grad="false"))
    older = without_newer_defaults(graph, read_list(LIST))
    assert attributes(older) == {"T", "transpose_a", "transpose_b"}
    assert "grad_a" in attributes(graph)


def test_those_that_say_something_stay_and_are_named() -> None:
    older = without_newer_defaults(parse(MATMUL.format(grad="true")), read_list(LIST))
    assert "grad_a" in attributes(older)
    (lack,) = [lack for need in needed(older) for lack in read_list(LIST).lacks(need)]
    assert str(lack).startswith("MatMul<T=float32> (node 'y'): the attribute 'grad_a' is unknown there")


@pytest.mark.parametrize("runtime", [INSTALLED, read_list("MatMul<T=float32>")])
def test_nothing_is_left_out_where_it_is_not_known_what_is_known(runtime) -> None:
    graph = parse(MATMUL.format(grad="false"))
    assert without_newer_defaults(graph, runtime).same_as(graph)


def test_in_functions_too() -> None:
    graph = Graph.from_graph_def(calls())
    listed = read_list("Exp()\nExp\nLess(T)\nLess\n")
    assert not any(need.op == "Exp" and not list(listed.lacks(need)) for need in needed(graph))
    older = without_newer_defaults(graph, listed)
    inner = [node for function in older.library.function for node in function.node_def if node.op == "Exp"]
    assert [set(node.attr) for node in inner] == [{"T"}]  # which has no default
    assert runtime_named("tensorflow-android-1.13.1").attributes_of("Exp") == {"T"}
