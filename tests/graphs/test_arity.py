"""Nodes have as many inputs as their operators take, in the graph and in functions."""

import textwrap
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from tensorflow.core.framework.op_def_pb2 import OpList
from tensorflow.python.client import pywrap_tf_session as c_api

from mobile_export.errors import ModelError
from mobile_export.graphs.arity import refuse_wrong_arity
from mobile_export.graphs.graph import Graph
from mobile_export.session import import_tensorflow

tf = import_tensorflow()
tf1 = tf.compat.v1


def a_graph() -> Graph:
    """Every kind of argument: one tensor, several of a type, several of several types; and control edges."""
    with tf.Graph().as_default() as made:
        x = tf1.placeholder(tf.float32, [2, 3], "x")
        y = tf.concat([x, x, x], 1, name="several")
        with tf.control_dependencies([y]):
            y = tf.cond(tf.reduce_sum(y) > 0, lambda: tf.exp(x, name="inner") + y[:, :3], lambda: x, name="choose")
        tf.identity(y, "y")
    return Graph.from_graph_def(made.as_graph_def())


def test_what_tensorflow_writes_is_let_in() -> None:
    graph = a_graph()
    graph.nodes["unknown"] = type(graph.nodes["x"])(name="unknown", op="NobodysOp", input=["x"] * 7)
    refuse_wrong_arity(graph)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x", "node 'x' has 1 inputs, and Placeholder takes 0"),
        ("y", "node 'y' has 2 inputs, and Identity takes 1"),
        ("several", "node 'several' has 5 inputs, and ConcatV2 takes 4"),
        ("choose", r"node 'choose' has 4 inputs, and (Stateless)?If takes 3"),
    ],
)
def test_one_too_many(name: str, said: str) -> None:
    graph = a_graph()
    graph.nodes[name].input.insert(0, "several")
    with pytest.raises(ModelError, match=said):
        refuse_wrong_arity(graph)


def test_none_at_all_in_a_function() -> None:
    graph = a_graph()
    inner: Any = [n for f in graph.library.function for n in f.node_def if n.op == "Exp"]
    del inner[0].input[:]
    with pytest.raises(ModelError, match=r"node 'inner' of the function '\w+' has 0 inputs, and Exp takes 1"):
        refuse_wrong_arity(graph)


def test_fewer_than_any_list_could_make_up_for() -> None:
    graph = a_graph()
    choose = graph.nodes["choose"]
    choose.op = "Case"
    choose.attr.clear()
    del choose.input[:]
    with pytest.raises(ModelError, match="node 'choose' has 0 inputs, and Case takes at least 1"):
        refuse_wrong_arity(graph)


@pytest.mark.parametrize("number", [0, 99])
@pytest.mark.parametrize("arguments", ["input_arg", "output_arg"])
def test_functions_whose_arguments_have_no_type(arguments: str, number: int) -> None:
    graph = a_graph()
    getattr(graph.library.function[0].signature, arguments)[0].type = number
    with pytest.raises(ModelError, match=r"'\w+' of the function '\w+' is of no type that TensorFlow has"):
        refuse_wrong_arity(graph)


def test_lists_that_say_nothing_of_their_length_are_left_to_tensorflow() -> None:
    graph = a_graph()
    graph.nodes["several"].attr["N"].s = b"three"
    refuse_wrong_arity(graph)


def test_the_table_is_that_of_tensorflow() -> None:
    """Made by `python -m tests.graphs.test_arity`, whenever TensorFlow knows new operators; old ones stay in it."""
    known, written = table(), (resources.files("mobile_export.graphs") / "arity.txt").read_text().splitlines()
    assert known.items() <= read(written).items()


def table() -> dict[str, str]:
    """By operator: the number of its single tensors, and the attributes that count its lists."""
    operators = OpList.FromString(bytes(c_api.TF_GetBuffer(c_api.TF_GetAllOpList())))
    return {
        op.name: " ".join(
            [
                str(sum(not (a.number_attr or a.type_list_attr) for a in op.input_arg)),
                *(a.number_attr or a.type_list_attr for a in op.input_arg if a.number_attr or a.type_list_attr),
            ]
        )
        for op in operators.op
    }


def read(lines: list[str]) -> dict[str, str]:
    pairs = [line.split(":") for line in lines if not line.startswith("#")]
    return {op: taken for taken, operators in pairs for op in operators.split()}


if __name__ == "__main__":
    path = Path("mobile_export/graphs/arity.txt")
    everything = (read(path.read_text().splitlines()) if path.exists() else {}) | table()
    lines = [
        "# How many tensors TensorFlow's operators take: single ones, and the attributes that count lists of them."
    ]
    for taken in sorted(set(everything.values())):
        names = " ".join(sorted(op for op, other in everything.items() if other == taken))
        lines += [f"{taken}: {part}" for part in textwrap.wrap(names, 110)]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
