"""Whether nodes have as many inputs as their operators take."""

from mobile_export.errors import ModelError
from mobile_export.graph import Graph, data_inputs
from mobile_export.protos import AttrValue, NodeDef
from mobile_export.transforms.operators import definition_of


def refuse_wrong_arity(graph: Graph) -> None:
    """Refuse a graph in which a node, also of a function, has more or fewer inputs than its operator takes.

    Operators that TensorFlow does not know take any number.

    Raises:
        ModelError: names the node.
    """
    inner = [(node, function.signature.name) for function in graph.library.function for node in function.node_def]
    for node, function in [*((node, "") for node in graph.nodes.values()), *inner]:
        count, expected = len(data_inputs(node)), _input_count(node)
        if expected is not None and count != expected:
            where = f" of the function {function!r}" if function else ""
            raise ModelError(
                f"node {node.name!r}{where} has {count} inputs, and {node.op} takes {expected}; export the model again"
            )


def _input_count(node: NodeDef) -> int | None:
    """How many inputs TensorFlow's definition gives `node`; None where that cannot be told."""
    definition = definition_of(node.op)
    if definition is None:
        return None
    defaults = {attribute.name: attribute.default_value for attribute in definition.attr}
    count = 0
    for argument in definition.input_arg:
        key = argument.number_attr or argument.type_list_attr
        value: AttrValue = node.attr[key] if key in node.attr else defaults.get(key, AttrValue())
        kind = value.WhichOneof("value")
        if not key:
            count += 1
        elif kind == "i" and argument.number_attr:
            count += value.i
        elif kind == "list" and argument.type_list_attr:
            count += len(value.list.type)
        else:
            return None
    return count
