"""What a node gives out, by TensorFlow's own definition of its operator."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from mobile_export.errors import ModelError
from mobile_export.graphs.protos import AttrValue, FunctionDef, NodeDef, OpDef
from mobile_export.session import import_tensorflow

MOST_PORTS = 1 << 16
"""Outputs of a node: a number in a file could say any."""

Functions = Mapping[str, FunctionDef]
"""A graph's library, by name."""


@dataclass(frozen=True)
class Output:
    """An output as the operator's definition names it; `dtypes` has TensorFlow's number for each of its ports."""

    name: str
    dtypes: tuple[int, ...]


def node_outputs(node: NodeDef, functions: Functions) -> list[Output] | None:
    """The outputs of `node` in the order of their ports; None when its operator is not known."""
    definition = functions[node.op].signature if node.op in functions else definition_of(node.op)
    if definition is None:
        return None
    return [Output(argument.name, _dtypes(node, definition, argument)) for argument in definition.output_arg]


def output_dtype(node: NodeDef, port: int, functions: Functions) -> int | None:
    """TensorFlow's number for the type of output `port`: 0 when the operator is not known, None without that output."""
    outputs = node_outputs(node, functions)
    if outputs is None:
        return 0
    dtypes = [dtype for output in outputs for dtype in output.dtypes]
    return dtypes[port] if port < len(dtypes) else None


@cache
def definition_of(op: str) -> OpDef | None:
    """TensorFlow's definition of the operator `op`; None when it has none."""
    import_tensorflow()
    from tensorflow.python.framework import op_def_registry

    definition: OpDef | None = op_def_registry.get(op)
    return definition


def _dtypes(node: NodeDef, definition: OpDef, argument: "OpDef.ArgDef") -> tuple[int, ...]:
    def value(key: str) -> AttrValue:
        if key in node.attr:
            return node.attr[key]
        return next((a.default_value for a in definition.attr if a.name == key), AttrValue())

    if argument.type_list_attr:
        return tuple(value(argument.type_list_attr).list.type)
    dtype = argument.type or value(argument.type_attr).type
    count = value(argument.number_attr).i if argument.number_attr else 1
    if count > MOST_PORTS:
        raise ModelError(f"node {node.name!r} ({node.op}) has {count} outputs; export the model again")
    return (dtype,) * count
