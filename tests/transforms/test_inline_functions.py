"""Functions as TensorFlow makes them, put where they are called; its place among the golden cases of the others."""

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.graphs.protos import FunctionDef
from mobile_export.session import Session, import_tensorflow
from mobile_export.transforms import apply, named
from mobile_export.transforms.calls import Call
from mobile_export.transforms.inline_functions import inline_functions
from mobile_export.transforms.resolve_switches import resolve_switches

tf = import_tensorflow()
tf1 = tf.compat.v1
CALLS = {"If", "StatelessIf", "Case", "StatelessCase", "PartitionedCall", "StatefulPartitionedCall"}
SAMPLES = {"x": np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)}


def graph_of(build: Callable[[Any], Any]) -> Graph:
    with tf.Graph().as_default() as made:
        tf.identity(build(tf1.placeholder(tf.float32, [None, 4], "x")), "y")
    specs = [(TensorSpec(name, f"{name}:0", "float32", (-1, 4)),) for name in "xy"]
    return Graph.from_graph_def(made.as_graph_def(), *specs)


def inlined(graph: Graph) -> Graph:
    """`graph` as the transform leaves it, which is held to answer as before by the runner."""
    return apply(graph, named(["inline_functions"]), SAMPLES)[0]


def default(value: Any) -> Any:
    return tf1.placeholder_with_default(value, [])


def two_ports(x: Any) -> Any:
    """Arguments and results that are outputs 1 and 2 of something, within and without."""
    parts = tf.split(x, [1, 1, 2], 1)

    @tf.function
    def swap(a: Any, b: Any) -> Any:
        values, indices = tf.nn.top_k(b, 2)
        return tf.unstack(values, axis=1)[1][:, None] * a, tf.cast(indices, tf.float32)

    first, second = swap(parts[1], parts[2])
    return tf.concat([second, first, parts[0]], 1)


def nested(x: Any) -> Any:
    inner = tf.function(lambda v: tf.nn.relu(v) * 2.0)
    outer = tf.function(lambda v: inner(v) + inner(v + 1.0))
    return tf1.cond(default(True), lambda: outer(inner(x)), lambda: x)


def passing_through(x: Any) -> Any:
    """Functions that return what they are given, one feeding the other."""
    swap = tf.function(lambda a, b: (b, a))
    return tf.concat(swap(*swap(*tf.split(x, 2, 1))), 1)


def names_that_are_taken(x: Any) -> Any:
    """`call/Relu`, `call/Relu_1` outside; the same names inside."""
    f = tf.function(lambda v: tf.nn.relu(tf.nn.relu(v, name="Relu") - 1.0, name="Relu_1"))
    outside = tf.nn.relu(tf.nn.relu(x, name="PartitionedCall/Relu"), name="PartitionedCall/Relu_2")
    return f(x) + outside


def defun(x: Any) -> Any:
    """A function of TensorFlow 1, which is an operator of its own."""
    from tensorflow.python.framework import function

    @function.Defun(tf.float32)
    def scaled(v: Any) -> Any:
        return v * 3.0

    return scaled(x)


def waiting(x: Any) -> Any:
    """Who waits for a call waits for its effects, and a call waits for what it is told to."""
    f = tf.function(lambda v: v + 1.0)
    with tf.control_dependencies([tf.nn.relu(x)]):
        first = f(x)
    with tf.control_dependencies([first.op]):
        return f(tf.nn.relu(x))


ACTS: dict[str, Callable[[Any], Any]] = {
    "call": lambda x: tf.function(lambda v: v * 2.0)(x),
    "if true": lambda x: tf1.cond(tf.constant(True), lambda: x + 1.0, lambda: x - 1.0),
    "if false": lambda x: tf1.cond(tf.constant(False), lambda: x + 1.0, lambda: x - 1.0),
    "if a default": lambda x: tf1.cond(tf.logical_not(default(True)), lambda: x + 1.0, lambda: x - 1.0),
    "if a number": lambda x: tf.raw_ops.StatelessIf(
        cond=np.int32(3), input=[x], Tout=[tf.float32],
        then_branch=concrete(lambda v: v + 1.0), else_branch=concrete(lambda v: v - 1.0),
    )[0],
    "case": lambda x: tf.switch_case(default(1), [lambda: x, lambda: x + 1.0, lambda: x - 1.0]),
    "case beyond": lambda x: tf.switch_case(default(7), [lambda: x, lambda: x + 1.0, lambda: x - 1.0]),
    "ports": two_ports,
    "nested": nested,
    "passing through": passing_through,
    "names": names_that_are_taken,
    "defun": defun,
    "waiting": waiting,
}  # fmt: skip


def concrete(f: Callable[[Any], Any]) -> Any:
    return tf.function(f).get_concrete_function(tf.TensorSpec([None, 4]))


@pytest.mark.parametrize("build", ACTS.values(), ids=ACTS)
def test_acts(build: Callable[[Any], Any]) -> None:
    before = graph_of(build)
    called = {function.signature.name for function in before.library.function}
    after = inlined(before)
    assert called
    assert not [node for node in after.nodes.values() if node.op in CALLS | called]
    assert not after.library.function
    assert any(name.startswith("^") for node in after.nodes.values() for name in node.input) == (build is waiting)


def unknown_branch(x: Any) -> Any:
    return tf1.cond(tf.reduce_sum(x) > 0, lambda: x + 1.0, lambda: x - 1.0)


def loop(x: Any) -> Any:
    halve = tf.function(lambda v: v / 2.0)
    return tf1.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, halve(v)), (0, x))[1]


@pytest.mark.parametrize("build", [unknown_branch, loop])
def test_stays(build: Callable[[Any], Any]) -> None:
    before = graph_of(build)
    after = inlined(before)
    assert list(after.nodes) == [name for name in before.nodes if name in after.nodes]
    assert {node.op for node in after.nodes.values()} & {"If", "StatelessIf", "While", "StatelessWhile"}
    assert len(after.library.function) >= 2


def in_a_loop(x: Any) -> Any:
    """Two results that change places, one of them at once; effects to wait for; the same function twice."""
    swap = tf.function(lambda a, b: (b, a))
    inner = tf.function(lambda v: tf.nn.top_k(v, 4)[0] * 2.0)

    @tf.function
    def turn(a: Any, b: Any) -> Any:
        with tf.control_dependencies([inner(a)]):
            return swap(inner(b), inner(a) - 1.0)

    return tf1.while_loop(lambda i, a, b: i < 3, lambda i, a, b: (i + 1, *swap(*turn(a, b))), (0, x, -x))[1]


def in_a_branch(x: Any) -> Any:
    relu = tf.function(lambda v: tf.nn.relu(v, name="Relu"))
    return tf1.cond(tf.reduce_sum(x) > 0, lambda: relu(relu(x) - 1.0), lambda: tf.nn.relu(relu(x), name="Relu"))


@pytest.mark.parametrize("build", [in_a_loop, in_a_branch])
def test_calls_inside_of_what_stays_are_replaced(build: Callable[[Any], Any]) -> None:
    after = inlined(graph_of(build))
    assert len(after.library.function) == 2
    assert not [node.op for function in after.library.function for node in function.node_def if node.op in CALLS]


def test_functions_that_give_back_each_others_results_are_refused() -> None:
    def tie(function: FunctionDef) -> None:
        calls = [node for node in function.node_def if node.op in CALLS]
        for call, other in zip(calls, reversed(calls), strict=True):
            call.input[0] = f"{other.name}:output:0"
        if not calls:
            function.ret[function.signature.output_arg[0].name] = function.signature.input_arg[0].name

    same = tf.function(lambda v: v)
    graph = graph_of(lambda x: tf1.cond(tf.reduce_sum(x) > 0, lambda: same(same(x)), lambda: x))
    with pytest.raises(ModelError, match="calls give back each other's results"):
        inline_functions(rewire(graph, tie))


def test_unused_functions_go() -> None:
    graph = graph_of(lambda x: tf1.cond(tf.constant(True), lambda: unknown_branch(x), lambda: loop(x)))
    after = inlined(graph)
    assert sorted(f.signature.name.rstrip("_0123456789") for f in after.library.function) == ["cond_false", "cond_true"]


def rewire(graph: Graph, change: Callable[[FunctionDef], None]) -> Graph:
    """`graph` with its functions changed."""
    library = type(graph.library)()
    library.CopyFrom(graph.library)
    for function in library.function:
        change(function)
    graph.library = library
    return graph


def calling(graph: Graph, called: str) -> Graph:
    """`graph` with functions that all call `called`, where they call one."""

    def call(function: FunctionDef) -> None:
        for node in function.node_def:
            if "f" in node.attr:
                node.attr["f"].func.name = called

    return rewire(graph, call)


def test_functions_that_call_themselves_are_refused() -> None:
    graph = graph_of(lambda x: tf.function(lambda v: tf.function(lambda u: u + 1.0)(v))(x))
    outer = next(n.attr["f"].func.name for n in graph.nodes.values() if "PartitionedCall" in n.op)
    with pytest.raises(ModelError, match=f"functions '{outer}' call themselves, or others that do, without an end"):
        inline_functions(calling(graph, outer))


def doubled(levels: int) -> Callable[[Any], Any]:
    """A function that calls one twice, which calls one twice, and so on."""
    if not levels:
        return lambda v: v + 1.0
    below = tf.function(doubled(levels - 1))
    return lambda v: below(below(v))


def always(x: Any, f: Callable[[Any], Any]) -> Any:
    return tf1.cond(tf.constant(True), lambda: f(x), lambda: x)


def sometimes(x: Any, f: Callable[[Any], Any]) -> Any:
    return tf1.cond(tf.reduce_sum(x) > 0, lambda: f(x), lambda: x)


def deepen(graph: Graph, levels: int) -> None:
    """Put copies of the innermost function that calls between it and what it calls."""
    calling = [f for f in graph.library.function if any("f" in node.attr for node in f.node_def)]
    names = {f.signature.name for f in calling}
    first = next(f for f in calling if not any(n.attr["f"].func.name in names for n in f.node_def if "f" in n.attr))
    for level in range(levels):
        copy = graph.library.function.add()
        copy.CopyFrom(first)
        copy.signature.name = f"level{level}"
        for node in copy.node_def if level else ():
            if "f" in node.attr:
                node.attr["f"].func.name = f"level{level - 1}"
    for node in first.node_def:
        if "f" in node.attr:
            node.attr["f"].func.name = f"level{levels - 1}"


@pytest.mark.parametrize("around", [lambda x, f: f(x), always, sometimes], ids=["call", "always", "sometimes"])
def test_functions_that_grow_without_bounds_are_refused(
    around: Callable[[Any, Callable[[Any], Any]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a node of them is made."""
    graph = graph_of(lambda x: around(x, doubled(2)))
    deepen(graph, 200)

    def make(call: Call) -> NoReturn:
        raise AssertionError(f"{call.name} was put inside")

    monkeypatch.setattr(Call, "nodes", make)
    with pytest.raises(ModelError, match=r"more than 100000 nodes, those of the functions that it calls included"):
        inline_functions(graph)


def test_many_levels_of_functions_take_no_time() -> None:
    """Calls of calls are found in one walk; a walk for each level would take minutes."""
    graph = graph_of(lambda x: tf.function(lambda v: tf.function(lambda u: u + 1.0)(v))(x))
    deepen(graph, 1000)
    after = inline_functions(graph)
    assert [node.op for node in after.nodes.values() if node.op.startswith("Add")] == ["AddV2"]
    assert not after.library.function


@pytest.mark.parametrize("kind", ["Case", "If"])
def test_a_branch_without_a_condition_stays(kind: str) -> None:
    graph = graph_of(lambda x: x + 1.0)
    graph.nodes["y"].op = kind
    del graph.nodes["y"].input[:]
    assert inline_functions(graph).nodes["y"].op == kind


def test_a_case_without_branches_stays() -> None:
    graph = graph_of(lambda x: tf.switch_case(default(1), [lambda: x, lambda: x + 1.0]))
    graph = resolve_switches(graph)
    case = next(node for node in graph.nodes.values() if "Case" in node.op)
    case.attr["branches"].Clear()
    assert case.name in inline_functions(graph).nodes


def test_an_effect_that_no_signature_has_is_refused() -> None:
    graph = graph_of(lambda x: sometimes(x, doubled(1)))

    def wait(function: FunctionDef) -> None:
        for node in function.node_def:
            if "f" in node.attr:
                function.control_ret["effect"] = node.name

    with pytest.raises(ModelError, match=r"function '\w+' waits for 'effect', which its signature does not have"):
        inline_functions(rewire(graph, wait))


def test_an_operator_that_is_not_known_is_named() -> None:
    graph = graph_of(lambda x: tf.function(lambda v: tf.nn.relu(v) + 1.0)(x))

    def rename(function: FunctionDef) -> None:
        for node in function.node_def:
            node.op = node.op.replace("Relu", "NoSuchOp")

    with pytest.raises(ModelError, match="node 'Relu' of a function: no output 'activations' of NoSuchOp is known"):
        inline_functions(rewire(graph, rename))


def test_a_constant_inside_keeps_its_bits() -> None:
    weights = np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)
    after = inlined(graph_of(lambda x: tf.function(lambda v: tf.matmul(v, weights))(x)))
    assert any(array.tobytes() == weights.tobytes() for array in after.constants.values())
    with Session(after) as session:
        np.testing.assert_allclose(session(SAMPLES)["y"], SAMPLES["x"] @ weights, rtol=1e-5)


def test_a_number_of_outputs_that_no_node_has() -> None:
    from mobile_export.graphs.protos import NodeDef
    from mobile_export.transforms.operators import node_outputs

    split = NodeDef(name="s", op="Split")
    split.attr["num_split"].i = 1 << 40
    with pytest.raises(ModelError, match=r"node 's' \(Split\) has 1099511627776 outputs"):
        node_outputs(split, {})
