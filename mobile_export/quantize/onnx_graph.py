"""Reading and rewriting the nodes of an ONNX graph."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from mobile_export.graphs.tensors import Array

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


def bodies(node: "NodeProto") -> "Iterator[GraphProto]":
    """The graphs that `node` carries in its attributes."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def walk(graph: "GraphProto") -> "Iterator[NodeProto]":
    """The nodes of `graph` and, after each, those of its bodies."""
    for node in graph.node:
        yield node
        for body in bodies(node):
            yield from walk(body)


def all_bodies(node: "NodeProto") -> "Iterator[GraphProto]":
    """The bodies of `node`, and those inside them."""
    for body in bodies(node):
        yield body
        for inner in body.node:
            yield from all_bodies(inner)


def inner_nodes(node: "NodeProto") -> "Iterator[NodeProto]":
    """The nodes of all bodies of `node`."""
    for body in bodies(node):
        yield from walk(body)


def attribute_of(node: "NodeProto", name: str, default: Any) -> Any:
    """The value of an attribute, or `default`; texts decoded."""
    from onnx import helper

    for attribute in node.attribute:
        if attribute.name == name:
            value = helper.get_attribute_value(attribute)
            return value.decode() if isinstance(value, bytes) else value
    return default


class Editor:
    """Writes the nodes of a graph anew, in order, with the constants that they need.

    Attributes:
        constants: the graph's initializers, by name.
    """

    def __init__(self, graph: "GraphProto") -> None:
        self._graph = graph
        self._nodes: list[NodeProto] = []
        self._counters = Counter[str]()
        self._added: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        names = {name for node in walk(graph) for name in (*node.input, *node.output)}
        self._taken = {*names, *self.constants, *(info.name for info in (*graph.input, *graph.output))}

    def value(self, name: str) -> Array:
        """The value of a constant."""
        from onnx import numpy_helper

        value: Array = numpy_helper.to_array(self.constants[name])
        return value

    def constant(self, name: str, value: Array) -> str:
        """Add an initializer; an equal one that was added before is taken instead."""
        from onnx import helper

        content = value.tobytes()
        key = (value.dtype.str, value.shape, content)
        if key not in self._added:
            tensor = self._graph.initializer.add()
            tensor.name, tensor.raw_data = self.free(name), content
            tensor.data_type = helper.np_dtype_to_tensor_dtype(value.dtype)
            tensor.dims.extend(value.shape)
            self._added[key], self.constants[tensor.name] = tensor.name, tensor
        return self._added[key]

    def free(self, name: str) -> str:
        """`name`, or something like it that no tensor has."""
        free = name
        while free in self._taken:
            free = f"{name}_{self._counters[name]}"
            self._counters[name] += 1
        self._taken.add(free)
        return free

    def node(self, operator: str, inputs: Iterable[str], output: str, **attributes: Any) -> str:
        """Append a node with one output; returns that. It has no name of its own: files of small models count bytes."""
        from onnx import helper

        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def keep(self, node: "NodeProto") -> None:
        """Append a node of the graph as it is now."""
        self._nodes.append(node)

    def finish(self) -> None:
        """Give the graph its new nodes, and the constants that these read, in the order in which they do."""
        nodes = [type(node).FromString(node.SerializeToString()) for node in self._nodes]
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        names = [name for node in walk(self._graph) for name in node.input]
        place = {name: index for index, name in reversed(list(enumerate([*names, *self._outputs()])))}
        self._graph.initializer.sort(key=lambda tensor: place.get(tensor.name, len(names) + len(place)))
        del self._graph.initializer[sum(tensor.name in place for tensor in self._graph.initializer) :]

    def _outputs(self) -> list[str]:
        return [info.name for info in self._graph.output]
