"""Graphs written as text, for tests: what `mobile_export.graphs.text.render` prints, and random constants besides.

w = Const float32[3,3,3,8] ~7       normal values, seeded with 7
w = Const float32[8] +7             the same, positive
"""

import re

import numpy as np

from mobile_export.graphs.graph import Graph, TensorSpec, canonical
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import dtype_number_of, write_shape

_TENSOR = r"(?P<dtype>\w+)\[(?P<shape>[^\]]*)\]"
_NODE = re.compile(r"(?P<name>[^ =]+) = (?P<op>\w+)(?:\((?P<inputs>[^)]*)\))?(?P<rest>.*)")
_NO_T = {"NoOp", "Assert", "RandomUniform", "Range", "Fill", "IdentityN", "Cast", "LogicalAnd", "LogicalNot"}


def parse(text: str) -> Graph:
    """The graph that `text` describes; shapes of outputs are unknown, dtypes float32 unless said (`y = c:0 int32`)."""
    graph = Graph()
    for line in text.splitlines():
        line = line.partition(" //")[0].strip()
        if not line:
            continue
        edge = re.fullmatch(r"(input|output) (\w+) = (\S+)(?: (\w+)\[(.*)\])?", line)
        if edge:
            shape = None if edge[5] is None else _shape(edge[5])
            spec = TensorSpec(edge[2], canonical(edge[3]), edge[4] or "float32", shape)
            graph.inputs, graph.outputs = (
                ((*graph.inputs, spec), graph.outputs) if edge[1] == "input" else (graph.inputs, (*graph.outputs, spec))
            )
            continue
        _add(graph, line)
    graph.versions.producer = 2000
    graph.inputs = tuple(_with_shape(graph, spec) for spec in graph.inputs)
    assert not graph.problems(), graph.problems()
    return graph


def _with_shape(graph: Graph, spec: TensorSpec) -> TensorSpec:
    if spec.shape is not None:
        return spec
    shape = graph.nodes[spec.tensor.partition(":")[0]].attr["shape"].shape
    return TensorSpec(spec.name, spec.tensor, spec.dtype, tuple(d.size for d in shape.dim))


def _add(graph: Graph, line: str) -> None:
    match = _NODE.fullmatch(line)
    assert match, f"cannot read {line!r}"
    name, op = match["name"], match["op"]
    node = NodeDef(name=name, op=op, input=[i.strip() for i in (match["inputs"] or "").split(",") if i.strip()])
    graph.nodes[name] = node
    if op == "Const":
        graph.constants[name] = _constant(match["rest"].strip())
        node.attr["dtype"].type = dtype_number_of(graph.constants[name].dtype.name)
    elif op == "Placeholder":
        tensor = re.fullmatch(_TENSOR, match["rest"].strip())
        node.attr["dtype"].type = dtype_number_of(tensor["dtype"])
        write_shape(node.attr["shape"].shape, None if tensor["shape"] == "..." else _shape(tensor["shape"]))
    else:
        if op not in _NO_T:
            node.attr["T"].type = 1
        for key, value in re.findall(r"(\w+)=(\[[^\]]*\]|\S+)", match["rest"]):
            _set(node, key, value)
        if op == "PlaceholderWithDefault":
            node.attr.pop("T", None)
            if "shape" not in node.attr:
                write_shape(node.attr["shape"].shape, None)


def _constant(text: str) -> np.ndarray:
    match = re.fullmatch(_TENSOR + r"(?:: (?P<values>.*)| (?P<sign>[~+])(?P<seed>\d+))?", text)
    assert match, f"cannot read the constant {text!r}"
    shape = _shape(match["shape"])
    if match["seed"]:
        values = np.random.default_rng(int(match["seed"])).normal(size=shape)
        return (np.abs(values) + 0.1 if match["sign"] == "+" else values).astype(match["dtype"])
    return np.array([float(v) for v in (match["values"] or "").split()]).astype(match["dtype"]).reshape(shape)


def _shape(text: str) -> tuple[int, ...]:
    return tuple(-1 if size in ("?", "-1") else int(size) for size in text.split(",") if size)


def _set(node: NodeDef, key: str, value: str) -> None:
    attribute = node.attr[key]
    if key == "shape":
        write_shape(attribute.shape, None if value == "[...]" else _shape(value[1:-1]))
        return
    if value.startswith("["):
        attribute.list.SetInParent()
        attribute.list.i.extend(int(v) for v in value[1:-1].split(",") if v)
    elif re.fullmatch(r"(u?int|float|bool|string|complex)\d*", value):
        attribute.type = dtype_number_of(value)
    elif value in ("true", "false"):
        attribute.b = value == "true"
    elif re.fullmatch(r"-?\d+", value):
        attribute.i = int(value)
    elif re.fullmatch(r"-?\d*\.?\d+(e-?\d+)?", value):
        attribute.f = float(value)
    else:
        attribute.s = value.encode()
