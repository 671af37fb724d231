"""Branches and loops that gradients went through give back what inference reads; its place among the golden cases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.formats import FORMATS, Request
from mobile_export.graphs.graph import Graph, TensorSpec, data_inputs, node_name
from mobile_export.graphs.protos import FunctionDef, NodeDef
from mobile_export.graphs.safety import all_nodes
from mobile_export.runner import run_samples
from mobile_export.session import Session, import_tensorflow
from mobile_export.transforms import apply, named
from mobile_export.transforms.drop_unread_results import drop_unread_results
from mobile_export.transforms.liveness import IFS, LOOPS
from mobile_export.transforms.strip import strip
from tests.sources.training import Net, load, save, trained, variable

tf = import_tensorflow()
tf1 = tf.compat.v1
SAMPLES = {"x": np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)}
KEPT_FOR_GRADIENTS = {"EmptyTensorList", "TensorListPushBack", "OptionalFromValue", "OptionalNone"}
Build = Callable[[Any], Any]
"""x: float32[1,4] → y: float32[1,4]."""


def graph_of(build: Build) -> Graph:
    """What computes y; its gradient was there, too."""
    with tf.Graph().as_default() as made:
        x = tf1.placeholder(tf.float32, [1, 4], "x")
        y = tf.identity(build(x), "y")
        tf.gradients(y, x)
    specs = [(TensorSpec(name, f"{name}:0", "float32", (1, 4)),) for name in "xy"]
    graph = strip(Graph.from_graph_def(made.as_graph_def(), *specs))
    for node in graph.nodes.values():
        node.attr.pop("_class", None)  # colocation, which sources drop
    return graph


def narrowed(graph: Graph) -> Graph:
    """`graph` as the transform leaves it, which the runner holds to answer as before."""
    return apply(graph, named(["inline_functions", "drop_unread_results"]), SAMPLES)[0]


def operators(graph: Graph) -> set[str]:
    return {node.op for node, _ in all_nodes(graph)}


def results(graph: Graph) -> list[int]:
    """How many results each branch and loop has, at any depth; two of a loop's are its turns, done and allowed."""
    return [
        len(node.attr["T" if node.op in LOOPS else "Tout"].list.type)
        for node, _ in all_nodes(graph)
        if node.op in LOOPS | IFS
    ]


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def branch(x: Any) -> Any:
    a = tf.sin(x)
    return tf.cond(
        tf.reduce_sum(x) > 0, lambda: tf.tanh(x @ weights(4, 4)) * a, lambda: tf.sigmoid(x * x @ weights(4, 4))
    )


def case(x: Any) -> Any:
    choice = tf.cast(tf.reduce_sum(x), tf.int32)
    return tf.switch_case(choice, [lambda: tf.tanh(x) * x, lambda: tf.exp(x * x), lambda: tf.sigmoid(x)])


def loop(x: Any) -> Any:
    return tf.while_loop(lambda i, _: i < 3, lambda i, h: (i + 1, tf.tanh(h @ weights(4, 4)) * x), [0, x])[1]


def branch_in_a_loop(x: Any) -> Any:
    return tf.while_loop(lambda i, _: i < 3, lambda i, h: (i + 1, branch(h)), [0, x])[1]


def loop_in_a_loop(x: Any) -> Any:
    return tf.while_loop(lambda i, _: i < 2, lambda i, h: (i + 1, loop(h)), [0, x])[1]


def loop_in_a_branch(x: Any) -> Any:
    return tf.cond(tf.reduce_sum(x) > 0, lambda: loop_in_a_loop(x), lambda: branch_in_a_loop(x * x))


def loop_behind_a_branch(x: Any) -> Any:
    """What the loop does not need of the branch goes when the loop's own has gone."""
    return loop(branch(x))


def collecting(x: Any) -> Any:
    """A loop that reads from one list, and fills another."""
    steps = tf.TensorArray(tf.float32, 4).unstack(tf.transpose(x))

    def body(i: Any, h: Any, made: Any) -> tuple[Any, Any, Any]:
        new = tf.tanh(h * 0.5 + steps.read(i))
        return i + 1, new, made.write(i, new)

    made = tf.while_loop(lambda i, *_: i < 4, body, [0, tf.zeros([1]), tf.TensorArray(tf.float32, 4)])[2]
    return tf.transpose(made.stack())


BUILDS = {
    "branch": (branch, [1]),
    "case": (case, []),
    "loop": (loop, [5]),
    "branch in a loop": (branch_in_a_loop, None),
    "loop in a loop": (loop_in_a_loop, None),
    "loop in a branch": (loop_in_a_branch, None),
    "loop behind a branch": (loop_behind_a_branch, None),
    "collecting": (collecting, None),
}


@pytest.mark.parametrize(("build", "expected"), BUILDS.values(), ids=BUILDS)
def test_nothing_is_left_of_gradients(build: Build, expected: list[int] | None) -> None:
    before = graph_of(build)
    after = narrowed(before)
    assert operators(before) & KEPT_FOR_GRADIENTS
    assert not operators(after) & KEPT_FOR_GRADIENTS
    assert expected is None or results(after) == expected
    assert narrowed(after).same_as(after)


def called_with(*functions: Callable[..., Any], op: str, given: list[Any], **attributes: Any) -> list[Any]:
    """A branch or loop of exactly these functions and arguments; `functions` go by the names of their attributes."""
    specs = [tf.TensorSpec(g.shape, g.dtype) for g in (given if op == "While" else given[1:])]
    made = {f.__name__: tf.function(f).get_concrete_function(*specs) for f in functions}
    first = {"input": given} if op == "While" else {"cond": given[0], "input": given[1:]}
    return getattr(tf.raw_ops, op)(**first, **made, **attributes)


def plain_loop(x: Any, body: Callable[..., Any], *state: Any) -> list[Any]:
    """A While over the turns done, the turns allowed, and `state`."""

    def cond(done: Any, allowed: Any, *_: Any) -> Any:
        return done < allowed

    def turn(done: Any, allowed: Any, *state: Any) -> Any:
        return done + 1, allowed, *body(*state)

    turn.__name__ = "body"
    given = [tf.constant(0), tf.constant(3), *state]
    return called_with(cond, turn, op="While", given=given)[2:]


def test_state_that_is_read_through_other_state_stays() -> None:
    def build(x: Any) -> Any:
        shift = lambda a, b, c, d, e: (b, c + 1.0, tf.tanh(c), d + a, e * d)  # noqa: E731
        return plain_loop(x, shift, x, x + 1.0, x + 2.0, x + 3.0, x + 4.0)[0]

    assert results(narrowed(graph_of(build))) == [2 + 3]  # neither d nor e, though each turn of them reads another


def test_state_that_only_the_condition_reads_stays() -> None:
    def build(x: Any) -> Any:
        def go_on(h: Any, steps: Any, unread: Any) -> Any:
            return tf.reduce_sum(steps) < 40.0

        return tf.while_loop(go_on, lambda h, s, u: (h * 0.5, s + 3.0, u - h), [x, tf.abs(x), x])[0]

    assert results(narrowed(graph_of(build))) == [2 + 2]


def test_state_that_never_changes_stays() -> None:
    def build(x: Any) -> Any:
        return plain_loop(x, lambda h, w, unread: (h @ w, w, unread), x, tf.eye(4) * x, x)[0]

    assert results(narrowed(graph_of(build))) == [2 + 2]


def test_results_keep_their_meaning_when_others_go() -> None:
    """Results 1 and 3 are public, 2 is read, 0 and 4 are not."""
    with tf.Graph().as_default() as made:
        x = tf1.placeholder(tf.float32, [1, 4], "x")
        ys = tf.cond(
            tf.reduce_sum(x) > 0,
            lambda: (x, x + 1.0, x + 2.0, x + 3.0, x + 4.0),
            lambda: (-x, x - 1.0, x - 2.0, x - 3.0, x - 4.0),
        )
        tf.identity(ys[2], "read")
        conditional = node_name(ys[2].op.inputs[0].name)
    tensors = [f"{conditional}:3", "read:0", f"{conditional}:1"]
    outputs = [TensorSpec(f"y{i}", tensor, "float32", (1, 4)) for i, tensor in enumerate(tensors)]
    graph = narrowed(Graph.from_graph_def(made.as_graph_def(), [TensorSpec("x", "x:0", "float32", (1, 4))], outputs))
    assert [spec.tensor for spec in graph.outputs] == [f"{conditional}:2", "read:0", f"{conditional}:0"]
    assert graph.nodes["read"].input[0].startswith(conditional)
    assert results(graph) == [3]


def test_functions_that_several_call_change_for_each_of_them_alone() -> None:
    def build(x: Any) -> Any:
        def then_branch(a: Any, b: Any) -> Any:
            return a * b, tf.tanh(a)

        def else_branch(a: Any, b: Any) -> Any:
            return a + b, tf.exp(b)

        specs = [tf.TensorSpec([1, 4])] * 2
        pair = [tf.function(f).get_concrete_function(*specs) for f in (then_branch, else_branch)]
        condition = tf.reduce_sum(x) > 0

        def call() -> Any:
            return tf.raw_ops.StatelessIf(
                cond=condition, input=[x, x * 2.0], Tout=[tf.float32] * 2, then_branch=pair[0], else_branch=pair[1]
            )

        return call()[0] + call()[1] + tf.add_n(call())

    after = narrowed(graph_of(build))
    assert sorted(results(after)) == [1, 1, 2]
    assert len(after.library.function) == 6


def test_a_function_may_be_a_branch_beside_others_that_read_more() -> None:
    def build(x: Any) -> Any:
        specs = [tf.TensorSpec([1, 4])] * 2
        plain, same, other = (
            tf.function(f).get_concrete_function(*specs)
            for f in (lambda a, b: a + 1.0, lambda a, b: a * 2.0, lambda a, b: b * 3.0)
        )
        calls = [
            tf.raw_ops.StatelessIf(
                cond=tf.reduce_sum(x) > 0,
                input=[x, tf.exp(x)],
                Tout=[tf.float32],
                then_branch=plain,
                else_branch=beside,
            )[0]
            for beside in (same, other)
        ]
        return tf.add_n(calls)

    after = narrowed(graph_of(build))
    assert sorted(len(f.signature.input_arg) for f in after.library.function) == [1, 1, 2, 2]


def test_results_of_branches_in_branches_keep_their_meaning() -> None:
    def build(x: Any) -> Any:
        def inner() -> Any:
            return tf.cond(x[0, 0] > 0, lambda: (x, x + 1.0, x + 2.0), lambda: (-x, x - 1.0, x - 2.0))[1:]

        return tf.cond(tf.reduce_sum(x) > 0, inner, lambda: (x, x))[1]

    graph = graph_of(build)
    for function in graph.library.function:  # give back results themselves, not copies of them
        copied = {f"{node.name}:output:0": node.input[0] for node in function.node_def if node.op == "Identity"}
        for key, tensor in list(function.ret.items()):
            while tensor in copied:
                tensor = copied[tensor]
            function.ret[key] = tensor
    assert any(tensor.endswith(":output:2") for f in graph.library.function for tensor in f.ret.values())
    assert results(narrowed(graph)) == [1, 1]


def test_arguments_that_no_branch_reads_go_with_all_that_is_said_of_them() -> None:
    def build(x: Any) -> Any:
        def then_branch(a: Any, b: Any, c: Any) -> Any:
            return a + 1.0

        def else_branch(a: Any, b: Any, c: Any) -> Any:
            return a * c

        given = [tf.reduce_sum(x) > 0, x, tf.exp(x, name="unread"), tf.reduce_max(x)]
        return called_with(then_branch, else_branch, op="If", given=given, Tout=[tf.float32])[0]

    graph = graph_of(build)
    for function in graph.library.function:
        function.attr["_input_shapes"].list.shape.add()
    after = narrowed(graph)
    assert "unread" not in after.nodes
    for function in after.library.function:
        assert len(function.signature.input_arg) == 2
        assert [len(function.arg_attr[i].attr["_output_shapes"].list.shape[0].dim) for i in range(2)] == [2, 0]
        assert "_input_shapes" not in function.attr


def test_remarks_by_number_go() -> None:
    remarks = {"_num_original_outputs", "_read_only_resource_inputs"}
    graph = graph_of(loop)
    assert remarks & set(the_call(graph).attr)
    assert not remarks & set(the_call(narrowed(graph)).attr)


def functions_of(graph: Graph) -> dict[str, FunctionDef]:
    return {function.signature.name: function for function in graph.library.function}


def test_effects_stay_and_what_they_need() -> None:
    """An unread result goes, the assertion on what it is made of does not."""

    def build(x: Any) -> Any:
        def body(h: Any, checked: Any, unread: Any) -> Any:
            tf.raw_ops.Assert(condition=tf.reduce_all(checked < 9.0), data=[checked])
            return h * 2.0, checked, unread

        return plain_loop(x, body, x, x + 1.0, x + 2.0)[0]

    after = drop_unread_results(graph_of(build))
    assert results(after) == [2 + 2]
    assert "Assert" in operators(after)


def test_effects_of_a_branch_stay_where_nothing_reads_its_results() -> None:
    def build(x: Any) -> Any:
        def body(h: Any) -> Any:
            tf.cond(tf.reduce_sum(h) > 5.0, lambda: tf.print(h), lambda: tf.no_op())
            return (h * 2.0,)

        return plain_loop(x, body, x)[0]

    graph = graph_of(build)
    for function in graph.library.function:  # as functions of TensorFlow 1 are, which list no effects
        function.ClearField("control_ret")
        del function.signature.control_output[:]
        for node in function.node_def:
            node.input[:] = data_inputs(node)
    assert "PrintV2" in operators(drop_unread_results(graph))


def test_the_graph_that_was_given_is_not_changed() -> None:
    graph = graph_of(branch_in_a_loop)
    before = graph.to_graph_def().SerializeToString(deterministic=True)
    drop_unread_results(graph)
    assert graph.to_graph_def().SerializeToString(deterministic=True) == before


def test_where_all_is_read_nothing_changes() -> None:
    graph = graph_of(lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2.0, lambda: -x))
    assert drop_unread_results(graph).same_as(graph)


def the_call(graph: Graph) -> NodeDef:
    (call,) = [node for node in graph.nodes.values() if node.op in LOOPS | IFS]
    return call


def lose_a_function(graph: Graph) -> None:
    the_call(graph).attr["then_branch"].func.name = "gone"


def lose_an_argument(graph: Graph) -> None:
    del the_call(graph).input[-1]


def lose_a_result(graph: Graph) -> None:
    function = functions_of(graph)[the_call(graph).attr["else_branch"].func.name]
    function.ClearField("ret")


def lose_a_type(graph: Graph) -> None:
    del the_call(graph).attr["Tout"].list.type[-1]


def lose_a_branch(graph: Graph) -> None:
    del the_call(graph).attr["else_branch"]


@pytest.mark.parametrize("damage", [lose_a_function, lose_an_argument, lose_a_result, lose_a_type, lose_a_branch])
def test_what_does_not_fit_is_left_to_whoever_loads_the_graph(damage: Callable[[Graph], None]) -> None:
    graph = graph_of(branch)
    damage(graph)
    assert drop_unread_results(graph).nodes == graph.nodes


def calling(graph: Graph, called: str, times: int, name: str) -> str:
    """Add a function that calls `called` in branches, some times, each for a result; gives back its name."""
    call = the_call(graph)
    function = graph.library.function.add()
    function.CopyFrom(functions_of(graph)[call.attr["then_branch"].func.name])
    function.signature.name = name
    arguments = [argument.name for argument in function.signature.input_arg]
    for turn in range(times):
        inner = function.node_def.add()
        inner.CopyFrom(call)
        inner.name = f"inner_{turn}"
        inner.input[:] = ["inner_condition:output:0", *arguments]
        inner.attr["else_branch"].func.name = called
        result = function.signature.output_arg[turn].name
        function.ret[result] = f"inner_{turn}:output:{turn}"
    condition = function.node_def.add(name="inner_condition", op="Const")
    condition.attr["dtype"].type = tf.bool.as_datatype_enum
    condition.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(True))
    return name


@pytest.mark.parametrize(("times", "levels"), [(1, 300), (2, 40)])
def test_functions_that_make_too_much_together_are_left(times: int, levels: int) -> None:
    graph = graph_of(branch)
    call = the_call(graph)
    inner = call.attr["else_branch"].func.name
    for level in range(levels):
        inner = calling(graph, inner, times, f"level_{level}")
    call.attr["else_branch"].func.name = inner
    after = drop_unread_results(graph)
    assert len(the_call(after).attr["Tout"].list.type) == 1
    assert f"level_{levels - 1}" not in functions_of(after)


def test_functions_that_call_themselves_are_left() -> None:
    graph = graph_of(branch)
    the_call(graph).attr["else_branch"].func.name = calling(graph, "endless", 2, "endless")
    after = drop_unread_results(graph)
    assert len(the_call(after).attr["Tout"].list.type) == 1
    assert {node.attr["else_branch"].func.name for node, where in all_nodes(after) if where and node.op in IFS} == {
        "endless"
    }


@pytest.mark.parametrize("name", ["tflite", "onnx"])
@pytest.mark.parametrize("build", [branch, loop, branch_in_a_loop, collecting])
def test_formats_hold_it(build: Build, name: str, tmp_path: Path) -> None:
    graph = apply(narrowed(graph_of(build)), named(["sort"]), None)[0]
    FORMATS[name].write(graph, [Request("narrow", tmp_path / "file")], None)
    with Session(graph) as session:
        expected = run_samples(session, SAMPLES)
    answers = run_samples(FORMATS[name].open(tmp_path / "file"), SAMPLES)
    np.testing.assert_allclose(answers["y"], expected["y"], rtol=1e-5, atol=1e-6)


# Whole training programs


def recurrent(resource: bool) -> Net:
    """A layer like an LSTM's over a list of steps."""
    x = tf1.placeholder(tf.float32, [None, 5, 6], "x")
    kernel, bias = variable("kernel", 6 + 4, 16), variable("bias", 16)
    steps = tf.TensorArray(tf.float32, 5).unstack(tf.transpose(x, [1, 0, 2]))
    zero = tf.zeros([tf.shape(x)[0], 4])

    def body(t: Any, c: Any, h: Any, made: Any) -> tuple[Any, Any, Any, Any]:
        i, j, f, o = tf.split(tf.concat([steps.read(t), h], 1) @ kernel + bias, 4, 1)
        c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(j)
        h = tf.sigmoid(o) * tf.tanh(c)
        return t + 1, c, h, made.write(t, h)

    made = tf.while_loop(lambda t, *_: t < 5, body, [0, zero, zero, tf.TensorArray(tf.float32, 5)])[3]
    return trained(x, tf.reduce_mean(made.stack(), 0) @ variable("out", 4, 3, resource=resource), {}, {})


def gated(resource: bool) -> Net:
    """A branch on the data."""
    x = tf1.placeholder(tf.float32, [None, 6], "x")
    h = x @ variable("first", 6, 4, resource=resource)
    a, b = variable("a", 4, 3), variable("b", 4, 3)
    return trained(x, tf1.cond(tf.reduce_mean(h) > 0.0, lambda: tf.tanh(h) @ a, lambda: h * h @ b), {}, {})


def gated_in_a_loop(resource: bool) -> Net:
    x = tf1.placeholder(tf.float32, [None, 6], "x")
    w = variable("w", 6, 6)

    def body(i: Any, h: Any) -> tuple[Any, Any]:
        return i + 1, tf1.cond(tf.reduce_sum(h) > 0.0, lambda: tf.tanh(h @ w), lambda: tf.sigmoid(h * h @ w))

    turned = tf.while_loop(lambda i, _: i < 3, body, [0, x])[1]
    return trained(x, turned @ variable("out", 6, 3, resource=resource), {}, {})


@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize("program", [recurrent, gated, gated_in_a_loop])
def test_training_programs_serve_what_they_learned(
    program: Callable[[bool], Net], resource: bool, tmp_path: Path
) -> None:
    saved = save(lambda: program(resource), tmp_path)
    graph = load(saved.prefix, outputs=({"name": "probabilities", "tensor": "probabilities:0"},))
    assert not operators(graph) & (KEPT_FOR_GRADIENTS | {"VarHandleOp", "ReadVariableOp"})
    with Session(graph) as session:
        answers = session(dict(zip([spec.name for spec in graph.inputs], saved.samples.values(), strict=True)))
    np.testing.assert_allclose(answers["probabilities"], saved.answers["probabilities:0"], rtol=1e-6, atol=1e-6)
