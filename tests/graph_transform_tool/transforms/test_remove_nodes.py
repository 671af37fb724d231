"""remove_nodes beside the original's."""

import numpy as np
import pytest

from mobile_export.errors import ConversionError, ExportError, ModelError, TargetError
from mobile_export.graphs.graph import control_inputs
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, answers, ours, ours_is_better, same_answers, theirs
from tests.graph_transform_tool.original import OriginalError
from tests.graph_transform_tool.small_graphs import branch, colocation, conv_net, loop, with_colocation

IDENTITIES = """
add1 = Add(add2, add3)
add2 = Add(id1, id2)
add3 = Add(id1, c3)
id1 = Identity(c1)
id2 = Identity(c2)
id3 = Identity(c3)
c1 = Const float32[]: 1
c2 = Const float32[]: 2
c3 = Const float32[]: 3
add4 = Add(add2, add3)
output add1 = add1:0
"""

OUTPUT = """
c1 = Const float32[]: 1
c2 = Const float32[]: 2
add = Add(c1, c2)
id = Identity(add)
output id = id:0
"""

CHAIN = """
c1 = Const float32[]: 1
id1 = Identity(c1)
id2 = Identity(id1)
id3 = Identity(id2)
c2 = Const float32[]: 2
add = Add(id3, c2)
output add = add:0
"""

QUANTIZED = """
x = Placeholder float32[4]
low = Const float32[]: -1
high = Const float32[]: 1
fake = FakeQuantWithMinMaxVars(x, low, high)
y = Relu(fake)
input x = x:0
output y = y:0
"""

PORTS = """
x = Placeholder float32[4]
a = Const int32[]: 0
s = Split(a, x) num_split=2
id = Identity(s:1)
check = CheckNumerics(id) message=bad
n = NoOp(^check)
y = Add(s, check, ^n)
input x = x:0
output y = y:0
"""


@pytest.mark.parametrize("text", [IDENTITIES, OUTPUT, CHAIN])
def test_readers_read_what_was_passed_on(text: str) -> None:
    graph = parse(text)
    found = agree(graph, "remove_nodes(op=Identity)")
    assert {name for name, node in found.nodes.items() if node.op == "Identity"} == {"id"} & graph.nodes.keys()


def test_several_inputs() -> None:
    graph = parse(QUANTIZED)
    assert agree(graph, "remove_nodes(op=FakeQuantWithMinMaxVars, max_inputs=3)").nodes.keys() == {"x", "y"}
    assert "fake" in agree(graph, "remove_nodes(op=FakeQuantWithMinMaxVars, max_inputs=2)").nodes
    assert "fake" in agree(graph, "remove_nodes(op=FakeQuantWithMinMaxVars)").nodes
    ours(graph, "remove_nodes(op=FakeQuantWithMinMaxVars, max_inputs=999999999999)")


def test_several_operators_ports_and_control_edges() -> None:
    found = agree(parse(PORTS), "remove_nodes(op=Identity, op=CheckNumerics)")
    assert list(found.nodes["y"].input) == ["s", "s:1", "^n"]
    assert list(found.nodes["n"].input) == ["^s"]
    agree(parse(PORTS), 'remove_nodes(op="Identity|CheckNumerics")')
    agree(parse(PORTS), "remove_nodes(op=CheckNumerics)")


def test_any_operator() -> None:
    graph = parse("x = Placeholder float32[2]\na = Relu(x)\nb = Neg(a)\ny = Add(b, b)\ninput x = x\noutput y = y")
    assert agree(graph, 'remove_nodes(op="*")').nodes.keys() == {"x", "y"}


def test_graphs_of_real_shape() -> None:
    agree(conv_net(), "remove_nodes(op=CheckNumerics)")
    same_answers(loop(), "remove_nodes(op=Identity)")


def test_what_others_read_too_stays() -> None:
    text = QUANTIZED.replace("Relu(fake)", "Add(fake, low)")
    found, expected = ours_is_better(parse(text), "remove_nodes(op=FakeQuantWithMinMaxVars, max_inputs=3)")
    assert isinstance(expected, OriginalError)
    assert found.nodes.keys() == {"x", "low", "y"}


def test_an_input_that_is_dropped_with_a_node_stays() -> None:
    text = QUANTIZED.replace("low = Const float32[]: -1", "low = Placeholder float32[]") + "input low = low:0"
    found, expected = ours_is_better(parse(text), "remove_nodes(op=FakeQuantWithMinMaxVars, max_inputs=3)")
    assert "low" not in expected.nodes
    assert "low" in found.nodes


def test_one_that_is_kept_does_not_keep_others() -> None:
    """The original matches the output `out` together with what it reads, and then no other node that reads it."""
    text = """
    x = Placeholder float32[2]
    behind = Relu(beside)
    beside = Identity(r)
    out = Identity(r)
    r = Relu(x)
    after = Identity(out)
    z = Neg(after)
    input x = x:0
    output out = out:0
    output behind = behind:0
    output z = z:0
    """
    found, expected = ours_is_better(parse(text), "remove_nodes(op=Identity)")
    assert "after" in expected.nodes
    assert found.nodes.keys() == {"x", "behind", "out", "r", "z"}
    for one, other in zip(answers(found, parse(text)), answers(expected, parse(text)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_whoever_read_it_waits_for_what_it_waited_for() -> None:
    text = """
    x = Placeholder float32[2]
    n = NoOp(^x)
    m = NoOp(^x)
    id1 = Identity(x, ^n)
    id2 = Identity(id1, ^m, ^n)
    y = Relu(id2)
    done = NoOp(^id2)
    input x = x:0
    output y = y:0
    """
    found, expected = ours_is_better(parse(text), "remove_nodes(op=Identity)")
    assert list(expected.nodes["y"].input) == ["x"]
    assert list(found.nodes["y"].input) == ["x", "^m", "^n"]
    assert list(found.nodes["done"].input) == ["^x", "^m", "^n"]


def test_an_assertion_is_not_lost() -> None:
    graph = conv_net()
    found, expected = ours_is_better(graph, "remove_nodes(op=Identity)")
    assert any(node.op == "Assert" for node in expected.nodes.values())
    assert not expected.reachable(["y"]) & {node.name for node in expected.nodes.values() if node.op == "Assert"}
    assert found.reachable(["y"]) & {node.name for node in found.nodes.values() if node.op == "Assert"}
    np.testing.assert_array_equal(answers(found, graph), answers(graph, graph))
    assert all(name == "y" or "AssertGuard" in name for name, node in found.nodes.items() if node.op == "Identity")


def test_the_pivots_of_branches_stay() -> None:
    """A constant of a branch waits for an Identity of its Switch; the Switch itself runs in either branch."""
    graph = branch()
    found, expected = ours_is_better(graph, "remove_nodes(op=Identity)")
    assert any(control_inputs(n) == ["^cond/Switch"] for n in expected.nodes.values())
    seeds = range(6)
    truth = [answers(graph, graph, seed) for seed in seeds]
    assert len(np.unique(truth, axis=0)) == 2
    np.testing.assert_array_equal([answers(found, graph, seed) for seed in seeds], truth)
    with pytest.raises(Exception, match="differ"):
        np.testing.assert_array_equal([answers(expected, graph, seed) for seed in seeds], truth, "differ")


def test_a_merge_waits_for_nothing() -> None:
    graph = branch()
    merge = next(node for node in graph.nodes.values() if node.op == "Merge")
    for index, constant in enumerate(list(merge.input)):
        identity = graph.nodes[f"id{index}"] = type(merge)(name=f"id{index}", op="Identity", input=[constant])
        identity.attr["T"].type = 1
        identity.input.extend(control_inputs(graph.nodes[constant]))
        merge.input[index] = identity.name
    found = ours(graph, "remove_nodes(op=Identity)")
    assert not control_inputs(found.nodes[merge.name])
    for seed in range(6):
        np.testing.assert_array_equal(answers(found, graph, seed), answers(graph, graph, seed))


def test_colocation_follows() -> None:
    graph = with_colocation(parse(CHAIN), "add", "id3")
    found, expected = ours_is_better(graph, "remove_nodes(op=Identity)")
    with pytest.raises(Exception, match="colocate"):
        answers(expected, graph)
    answers(found, graph)
    assert colocation(found, "add") == [b"loc:@c1"]


def test_an_output_that_is_read_and_not_passed_on_is_an_error_of_both() -> None:
    text = PORTS.replace("Identity(s:1)", "Identity(s)").replace("Add(s, check, ^n)", "Add(s:1, check, ^n)")
    with pytest.raises(OriginalError, match="Invalid graph"):
        theirs(parse(text), "remove_nodes(op=Split, max_inputs=2)")
    with pytest.raises(ConversionError, match="reads 's:1', which does not exist"):
        ours(parse(text), "remove_nodes(op=Split, max_inputs=2)")


def test_errors() -> None:
    with pytest.raises(TargetError, match="op is missing; write"):
        ours(parse(CHAIN), "remove_nodes")
    with pytest.raises(TargetError, match="max_inputs: 'many' is no whole number"):
        ours(parse(CHAIN), "remove_nodes(op=Identity, max_inputs=many)")
    for transforms in ("remove_nodes", "remove_nodes(op=Identity, max_inputs=many)"):
        with pytest.raises(OriginalError):
            theirs(parse(CHAIN), transforms)


def test_a_loop_that_is_taken_apart_is_an_error() -> None:
    with pytest.raises(ExportError, match="which does not exist"):
        ours(loop(), "remove_nodes(op=NextIteration)")


def test_a_chain_that_hands_on_more_and_more_is_refused() -> None:
    """Each of n readers would wait for n nodes."""
    lines = ["x = Placeholder float32[2]", "input x = x:0", "output y = y:0", "y = Relu(x)"]
    for i in range(1500):
        lines += [f"n{i} = NoOp", f"i{i} = Identity({f'i{i - 1}' if i else 'x'}, ^n{i})"]
        lines += [f"r{i}_{k} = Relu(i{i})" for k in range(3)]
    with pytest.raises(ModelError, match="more than 500000 nodes in place of what goes; run remove_control_dep"):
        ours(parse("\n".join(lines)), "remove_nodes(op=Identity)")


def chain(length: int, wait: str) -> str:
    """Identities one behind the other, each of which waits for `wait` of its number."""
    lines = ["x = Placeholder float32[2]", "input x = x:0", "output y = y:0", "n = NoOp(^x)"]
    for i in range(length):
        lines += [f"n{i} = NoOp(^x)", f"i{i} = Identity({f'i{i - 1}' if i else 'x'}, {wait.format(i)})"]
    return "\n".join([*lines, f"y = Relu(i{length - 1})"])


def test_a_long_chain_hands_its_control_edges_to_one_reader() -> None:
    found = ours(parse(chain(1010, "^n{}")), "remove_nodes(op=Identity)")
    assert list(found.nodes["y"].input) == ["x", *(f"^n{i}" for i in reversed(range(1010)))]


def test_readers_along_a_chain_that_waits_for_one_node() -> None:
    text = chain(300, "^n") + "".join(f"\nr{i} = Relu(i{i})" for i in range(300))
    found = ours(parse(text), "remove_nodes(op=Identity)")
    assert all(list(found.nodes[f"r{i}"].input) == ["x", "^n"] for i in range(300))
