"""A graph as text, one node a line:

    x = Placeholder float32[?,4,4,3]
    w = Const float32[1,1,3,2]: 1 2 3 4 5 6
    c = Conv2D(x, w) padding=SAME strides=[1,1,1,1]
    input image = x:0
    output scores = c:0

`T=float32` is left out, as nearly every node has it; so are attributes of TensorFlow's own (`_class`).
"""

import hashlib

import numpy as np

from mobile_export.graphs.graph import Graph, attribute, format_shape
from mobile_export.graphs.protos import AttrValue, NodeDef
from mobile_export.graphs.tensors import Array, dtype_name, dtype_number, read_shape

SHOWN_VALUES = 8
"""Constants up to this many elements are shown whole, larger ones by a hash."""


def render(graph: Graph) -> str:
    """All nodes in order, then inputs and outputs."""
    lines = [_node(graph, node) for node in graph.nodes.values()]
    lines += [f"input {spec.name} = {spec.tensor}" for spec in graph.inputs]
    lines += [f"output {spec.name} = {spec.tensor}" for spec in graph.outputs]
    return "\n".join(lines) + "\n"


def _node(graph: Graph, node: NodeDef) -> str:
    if node.name in graph.constants:
        controls = f"({', '.join(node.input)})" if node.input else ""
        return f"{node.name} = Const{controls} {_array(graph.constants[node.name])}"
    if node.op == "Placeholder":
        dtype = dtype_name(attribute(node, "dtype").type)
        shape = read_shape(node.attr["shape"].shape) if "shape" in node.attr else None
        return f"{node.name} = Placeholder {dtype}{format_shape(shape)}"
    attributes = [
        f" {key}={_attribute(node.attr[key])}"
        for key in sorted(node.attr)
        if not key.startswith("_") and not (key == "T" and node.attr[key].type == 1)
    ]
    return f"{node.name} = {node.op}({', '.join(node.input)}){''.join(attributes)}"


def _array(array: Array) -> str:
    head = f"{dtype_name(dtype_number(array.dtype))}{format_shape(array.shape)}"
    if array.size > SHOWN_VALUES:
        return f"{head} #{hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:8]}"
    return f"{head}: {' '.join(map(_value, array.reshape(-1)))}".rstrip(": ")


def _value(value: np.generic) -> str:
    if value.dtype.names:
        return str(value.item()[0])
    if value.dtype.kind in "iub":
        return str(int(value.item()))
    return f"{value:g}" if value.dtype.kind == "c" else f"{float(value.item()):g}"


def _attribute(value: AttrValue) -> str:
    kind = value.WhichOneof("value")
    if kind == "list":
        field = next((field.name for field, _ in value.list.ListFields()), None)
        return "[]" if field is None else f"[{','.join(_scalar(field, item) for item in getattr(value.list, field))}]"
    return "none" if kind is None else _scalar(kind, getattr(value, kind))


def _scalar(kind: str, value: object) -> str:
    if kind == "type":
        return dtype_name(int(str(value)))
    if kind == "shape":
        return format_shape(read_shape(value))
    if kind == "s":
        return value.decode(errors="replace")  # type: ignore[attr-defined,no-any-return]
    if kind == "f":
        return f"{value:g}"
    if kind == "b":
        return str(value).lower()
    if kind == "func":
        return value.name  # type: ignore[attr-defined, no-any-return]
    return str(value).replace("\n", " ").strip()
