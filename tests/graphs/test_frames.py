"""Loops of TensorFlow 1: those that it makes are let through, those that it would not survive are not."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs.frames import refuse_broken_loops
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.graphs.protos import FunctionDef
from mobile_export.session import Session, import_tensorflow
from tests.graph_text import parse

ROOT = Path(__file__).parents[2]

tf = import_tensorflow()
tf1 = tf.compat.v1

LOOP = """
x = Placeholder float32[]
limit = Const float32[]: 9
e = Enter(x) frame_name=f
m = Merge(e, n) N=2
b = Enter(limit) frame_name=f is_constant=true
l = Less(m, b)
c = LoopCond(l)
s = Switch(m, c)
a = Add(s:1, s:1)
n = NextIteration(a)
o = Exit(s)
y = Identity(o)
input x = x:0
output y = y:0
"""


def loop() -> Graph:
    graph = parse(LOOP)
    graph.nodes["c"].attr.clear()
    return graph


def made_by_tensorflow(control_flow: bool) -> Graph:
    """A loop in a loop, with a branch inside, and its gradients, as TensorFlow 1 or 2 writes them."""
    with tf.Graph().as_default() as made:
        tf1.enable_control_flow_v2() if control_flow else tf1.disable_control_flow_v2()
        x = tf1.placeholder(tf.float32, [], "x")

        def turn(i: Any, v: Any) -> tuple[Any, Any]:
            inner = tf1.while_loop(lambda w: w < 5.0, lambda w: w * 2.0 + 1.0, [v])
            return i + 1, tf1.cond(inner > 7.0, lambda: inner * x, lambda: -inner)

        y = tf1.while_loop(lambda i, _: i < 3, turn, [0, x])[1]
        tf.identity(y, "y")
        tf1.gradients(y, x)
    tf1.enable_control_flow_v2()
    specs = [[TensorSpec(name, f"{name}:0", "float32", ())] for name in "xy"]
    return Graph.from_graph_def(made.as_graph_def(), *specs)


@pytest.mark.parametrize("control_flow", [False, True])
def test_loops_as_tensorflow_makes_them(control_flow: bool) -> None:
    graph = made_by_tensorflow(control_flow)
    refuse_broken_loops(graph)
    graph.prune()
    with Session(graph) as session:
        assert np.isfinite(session({"x": np.float32(1.5)})["y"])


def test_the_loop_that_is_broken_below() -> None:
    with Session(loop()) as session:
        assert session({"x": np.float32(3)})["y"] == 12


def read(node: str, *inputs: str) -> Callable[[Graph], None]:
    def change(graph: Graph) -> None:
        graph.nodes[node].input[:] = inputs
        if graph.nodes[node].op == "Merge":
            graph.nodes[node].attr["N"].i = len([name for name in inputs if not name.startswith("^")])

    return change


def give_out(tensor: str) -> Callable[[Graph], None]:
    def change(graph: Graph) -> None:
        graph.outputs = (TensorSpec("y", tensor, "float32", ()),)

    return change


def feed(tensor: str) -> Callable[[Graph], None]:
    def change(graph: Graph) -> None:
        graph.inputs = (*graph.inputs, TensorSpec("fed", tensor, "float32", ()))

    return change


def count(number: int) -> Callable[[Graph], None]:
    def change(graph: Graph) -> None:
        graph.nodes["m"].attr["N"].i = number

    return change


BROKEN = {
    "Merge of two values and a turn": (read("m", "e", "e", "n"), "Merge (node 'm') does not begin a loop with one"),
    "Merge of a turn alone": (read("m", "n"), "Merge (node 'm') does not begin a loop"),
    "Merge of turns alone": (read("m", "n", "n"), "Merge (node 'm') does not begin a loop"),
    "Merge that waits for a turn": (read("m", "e", "e", "^n"), "Merge (node 'm') does not begin a loop"),
    "Merge of nothing": (lambda graph: graph.nodes["m"].input.pop(), "Merge (node 'm') has 1 inputs instead of 2"),
    "Merge that lies": (count(-1), "Merge (node 'm') has 2 inputs instead of -1"),
    "a turn's value read": (read("a", "n", "s:1"), "Add (node 'a') reads 'n', which only a Merge can"),
    "Switch of one input": (read("s", "m"), "Switch (node 's') has 1 inputs instead of 2"),
    "Enter of nothing": (read("e"), "Enter (node 'e') has 0 inputs instead of 1"),
    "Exit of two": (read("o", "s", "s"), "Exit (node 'o') has 2 inputs instead of 1"),
    "NextIteration of nothing": (read("n"), "NextIteration (node 'n') has 0 inputs instead of 1"),
    "LoopCond of nothing": (read("c"), "LoopCond (node 'c') has 0 inputs instead of 1"),
    "Exit outside": (read("o", "x"), "Exit (node 'o') stands outside of any loop"),
    "NextIteration outside": (read("n", "x"), "NextIteration (node 'n') stands outside of any loop"),
    "a value from outside": (read("a", "s:1", "x"), "Add (node 'a') reads from inside of a loop and from outside"),
    "another loop": (read("m", "x", "n"), "reads from inside of a loop and from outside"),
    "a result inside": (give_out("a:0"), "Add (node 'a') is a result, and stands inside of a loop"),
    "an input inside": (feed("s:1"), "stands outside of any loop"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_loops(name: str) -> None:
    change, said = BROKEN[name]
    graph = loop()
    change(graph)
    for check in (refuse_broken_loops, Session):
        with pytest.raises(ModelError) as caught:
            check(graph)
        assert said in str(caught.value)


def test_a_turn_of_another_loop() -> None:
    graph = loop()
    graph.nodes["e2"] = type(graph.nodes["e"])()
    graph.nodes["e2"].CopyFrom(graph.nodes["e"])
    graph.nodes["e2"].name = "e2"
    graph.nodes["e2"].attr["frame_name"].s = b"g"
    read("n", "e2")(graph)
    with pytest.raises(ModelError, match="begins the turns of another loop"):
        refuse_broken_loops(graph)


def test_loops_in_functions() -> None:
    graph = loop()
    function = FunctionDef()
    function.signature.name = "looping"
    function.signature.input_arg.add(name="x", type=1)
    function.ret["y"] = "y:output:0"
    for node in graph.nodes.values():
        if node.op != "Placeholder":
            function.node_def.add().CopyFrom(node)
    whole = Graph()
    whole.library.function.append(function)
    refuse_broken_loops(whole)
    whole.library.function[0].ret["y"] = "a:z:0"
    with pytest.raises(ModelError, match=r"Add \(node 'a'\) of the function 'looping' is a result"):
        refuse_broken_loops(whole)


UNCHECKED = """
import sys
import mobile_export.session as session
from tests.graphs import test_frames
session.refuse_broken_loops = lambda graph: None
graph = test_frames.loop()
test_frames.BROKEN[sys.argv[1]][0](graph)
session.Session(graph)
"""


def test_tensorflow_aborts_without_the_check() -> None:
    """The reason for all this; when it no longer holds, so much can go."""
    command = [sys.executable, "-c", UNCHECKED, "Merge of two values and a turn"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert "Check failed" in ended.stderr
    assert ended.returncode not in (0, 1)
