"""Whether a graph is one: nodes have as many inputs as their operators take, and functions say what they take.

TensorFlow ends its process over some nodes that have not; and whoever knows that a convolution reads two tensors may
then take the second. What operators take is in `arity.txt`, so that TensorFlow is not needed to know.
"""

import functools
from importlib import resources

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, data_inputs
from mobile_export.graphs.protos import FunctionDef, NodeDef, OpDef


@functools.cache
def _types() -> frozenset[int]:
    """TensorFlow's numbers of types; 0 stands for none."""
    return frozenset(OpDef.ArgDef.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number) - {0}


@functools.cache
def _arities() -> dict[str, tuple[int, tuple[str, ...]]]:
    """By operator, how many single tensors it takes, and the attributes that say how many it takes in lists."""
    found: dict[str, tuple[int, tuple[str, ...]]] = {}
    for line in resources.files("mobile_export.graphs").joinpath("arity.txt").read_text(encoding="ascii").splitlines():
        if not line.startswith("#"):
            taken, _, operators = line.partition(":")
            singles, *lists = taken.split()
            found |= dict.fromkeys(operators.split(), (int(singles), tuple(lists)))
    return found


def refuse_malformed(graph: Graph) -> None:
    """Refuse a graph that TensorFlow would not load, so that nobody who rewrites it is blamed for that.

    Raises:
        ModelError: as `refuse_wrong_arity`; or an input is missing, nodes form a cycle, or the like.
    """
    refuse_wrong_arity(graph)
    problems = graph.problems()
    if problems:
        raise ModelError(f"the graph is malformed as it came in: {problems[0]}; export the model again")


def refuse_wrong_arity(graph: Graph) -> None:
    """Refuse a graph in which a node, also of a function, has more or fewer inputs than its operator takes.

    Operators that TensorFlow does not know take any number; functions must say of what type their arguments are.

    Raises:
        ModelError: names the node, or the function.
    """
    for function in graph.library.function:
        _check_types(function)
    inner = [(node, function.signature.name) for function in graph.library.function for node in function.node_def]
    for node, name in [*((node, "") for node in graph.nodes.values()), *inner]:
        count = len(data_inputs(node))
        least, most = _input_count(node)
        if count < least or (most is not None and count > most):
            where = f" of the function {name!r}" if name else ""
            takes = f"{least}" if most is not None else f"at least {least}"
            raise ModelError(
                f"node {node.name!r}{where} has {count} inputs, and {node.op} takes {takes}; export the model again"
            )


def _check_types(function: FunctionDef) -> None:
    for argument in (*function.signature.input_arg, *function.signature.output_arg):
        if not (argument.type in _types() or argument.type_attr or argument.type_list_attr):
            raise ModelError(
                f"{argument.name!r} of the function {function.signature.name!r} is of no type that TensorFlow has; "
                "export the model again"
            )


def _input_count(node: NodeDef) -> tuple[int, int | None]:
    """How many inputs TensorFlow's definition gives `node`, at least and at most; None where that cannot be told."""
    count, lists = _arities().get(node.op, (0, ("?",)))
    known = True
    for key in lists:
        value = node.attr.get(key)
        kind = None if value is None else value.WhichOneof("value")
        if value is not None and kind == "i":
            count += value.i
        elif value is not None and kind == "list":
            count += len(value.list.type)
        else:
            known = False
    return count, count if known else None
