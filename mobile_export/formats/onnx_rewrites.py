"""What makes a float ONNX model quantize better, and changes nothing in it but rounding.

TensorFlow's layout leaves a Transpose between a convolution and what belongs to it, where ONNX Runtime's quantized
kernels do not see that it does; and they know the mean over an image only by its own name.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from mobile_export.quantize.onnx_graph import Editor, all_bodies, attribute_of, walk

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

_ELEMENTWISE = frozenset({"Clip", "LeakyRelu", "Relu", "Sigmoid"})
_LIKE_INPUT = _ELEMENTWISE | {"Add", "AveragePool", "MaxPool"}


_ROUNDS = 32
"""In each of them every place that fits is rewritten that no other one touches; few networks need more than four."""


def ease_quantization(graph: "GraphProto") -> None:
    """Rewrite `graph`, in place; nodes are left in any order, and some of them empty.

    Add(Transpose(Conv(x, w)), b)  =>  Transpose(Conv(x, w, b))
    Relu(Transpose(x))  =>  Transpose(Relu(x)), and other elementwise operators
    ReduceMean(Transpose(x))  =>  Transpose(ReduceMean(x))
    ReduceMean(image)  =>  GlobalAveragePool(image)
    Sub(x, Abs(x))  =>  Mul(Relu(Mul(x, -1)), -2), a part of how TensorFlow 1 models write PRelu
    Mul(Mul(x, a), b)  =>  Mul(x, a·b)

    Constants of loops' bodies become the graph's own, so that their weights are seen.
    """
    _hoist_constants(graph)
    for _ in range(_ROUNDS):
        changed = [rewrite(graph) for rewrite in _REWRITES]
        if not any(changed):
            break


def _hoist_constants(graph: "GraphProto") -> None:
    taken = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        for body in all_bodies(node):
            graph.initializer.extend(tensor for tensor in body.initializer if tensor.name not in taken)
            own = [tensor for tensor in body.initializer if tensor.name in taken]
            taken.update(tensor.name for tensor in body.initializer)
            del body.initializer[:]
            body.initializer.extend(own)


class _Neighbours:
    """Who writes and who reads each tensor of a graph, as it was before the rewrites of one round."""

    def __init__(self, graph: "GraphProto") -> None:
        self.writers = {name: node for node in graph.node for name in node.output}
        self.readers: dict[str, int] = {}
        for name in [*(n for node in walk(graph) for n in node.input), *(info.name for info in graph.output)]:
            self.readers[name] = self.readers.get(name, 0) + 1
        self._claimed: set[str] = set()

    def claim(self, *nodes: "NodeProto") -> bool:
        """Whether `nodes` may be rewritten: nothing around them has been in this round."""
        names = {name for node in nodes for name in (*node.input, *node.output) if name in self.writers}
        if names & self._claimed:
            return False
        self._claimed |= names
        return True

    @property
    def changed(self) -> bool:
        """Whether anything has been claimed."""
        return bool(self._claimed)

    def only(self, name: str, operator: str) -> "NodeProto | None":
        """The `operator` that writes `name`, if there is one and nobody else reads that."""
        node = self.writers.get(name)
        return node if node is not None and node.op_type == operator and self.readers[name] == 1 else None


def _sink_transpose(graph: "GraphProto") -> bool:
    around = _Neighbours(graph)
    for node in graph.node:
        moved = around.only(node.input[0], "Transpose") if node.op_type in _ELEMENTWISE else None
        if moved is not None and around.claim(moved, node):
            _swap(moved, node)
    return around.changed


def _swap(first: "NodeProto", second: "NodeProto") -> None:
    """second(first(x))  =>  first(second(x)), with the tensor at the end called as before."""
    middle, end = first.output[0], second.output[0]
    second.input[0], first.input[0] = first.input[0], middle
    second.output[0], first.output[0] = middle, end


def _add_bias(graph: "GraphProto") -> bool:
    around, shapes = _Neighbours(graph), _shapes(graph)
    for node in graph.node:
        for place in (0, 1) if node.op_type == "Add" else ():
            moved = around.only(node.input[place], "Transpose")
            conv = moved and around.only(moved.input[0], "Conv")
            other = node.input[1 - place]
            if moved is None or conv is None or len(conv.input) > 2:
                continue
            fits = attribute_of(moved, "perm", [0])[-1] == 1 and shapes.get(other) == shapes.get(conv.input[1], ())[:1]
            if fits and around.claim(conv, moved, node):
                conv.input.append(other)
                moved.output[0] = node.output[0]
                node.Clear()
                break
    return around.changed


def _mean_before_transpose(graph: "GraphProto") -> bool:
    around = _Neighbours(graph)
    for node in graph.node:
        moved = around.only(node.input[0], "Transpose") if node.op_type == "ReduceMean" else None
        perm, axes = list(attribute_of(moved, "perm", [])) if moved else [], attribute_of(node, "axes", [])
        if moved is None or not perm or not axes or not around.claim(moved, node):
            continue
        before = [perm[axis] for axis in axes]
        _set_integers(node, "axes", sorted(before))
        left = [axis for axis in perm if axis not in before]
        if attribute_of(node, "keepdims", 1):
            _swap(moved, node)
        elif left == sorted(left):  # nothing is left to be moved
            node.input[0] = moved.input[0]
            moved.Clear()
        else:
            _set_integers(moved, "perm", [sorted(left).index(axis) for axis in left])
            _swap(moved, node)
    return around.changed


def _pool(graph: "GraphProto") -> bool:
    editor, rank = Editor(graph), _image_rank(graph)
    found = [node for node in graph.node if node.op_type == "ReduceMean"]
    found = [node for node in found if sorted(attribute_of(node, "axes", [])) == [*range(2, rank(node.input[0]))] != []]
    for node in found:
        axes, keeps = sorted(attribute_of(node, "axes", [])), attribute_of(node, "keepdims", 1)
        del node.attribute[:]
        node.op_type = "GlobalAveragePool"
        if not keeps:
            squeezed, whole = node.output[0], editor.free(f"{node.output[0]}/whole")
            node.output[0] = whole
            places = editor.constant(f"{squeezed}/axes", np.array(axes, np.int64))
            graph.node.append(_made("Squeeze", [whole, places], squeezed))
    return bool(found)


def _made(operator: str, inputs: list[str], output: str) -> "NodeProto":
    from onnx import helper

    return helper.make_node(operator, inputs, [output], name=output)


def _shapes(graph: "GraphProto") -> dict[str, tuple[int, ...]]:
    """Of the constants."""
    return {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def _image_rank(graph: "GraphProto") -> Callable[[str], int]:
    """The rank of a tensor that a convolution writes, or what works on its result as on an image; otherwise 0."""
    writers, shapes = _Neighbours(graph).writers, _shapes(graph)

    def rank(name: str) -> int:
        while (node := writers.get(name)) is not None and node.op_type in _LIKE_INPUT:
            name = next((i for i in node.input if i in writers), "")
        return len(shapes.get(node.input[1], ())) if node is not None and node.op_type == "Conv" else 0

    return rank


def _set_integers(node: "NodeProto", name: str, values: list[int]) -> None:
    attribute = next(attribute for attribute in node.attribute if attribute.name == name)
    attribute.ints[:] = values


def _negative_part(graph: "GraphProto") -> bool:
    around, reals, editor = _Neighbours(graph), _real_constants(graph), Editor(graph)
    for node in list(graph.node):
        magnitude = around.only(node.input[1], "Abs") if node.op_type == "Sub" else None
        if magnitude is None or magnitude.input[0] != node.input[0]:
            continue
        writer = around.writers.get(node.input[0])
        if writer is not None and writer.op_type == "Transpose":
            writer = around.writers.get(writer.input[0])
        is_real = writer is not None and writer.op_type in ("Conv", "Gemm") and writer.input[1] in reals
        if is_real and around.claim(magnitude, node):
            x = node.input[0]
            negated, part = editor.free(f"{x}/negated"), editor.free(f"{x}/part")
            minus, twice = (editor.constant("factor", np.array(factor, np.float32)) for factor in (-1, -2))
            graph.node.extend([_made("Mul", [x, minus], negated), _made("Relu", [negated], part)])
            node.op_type, node.input[:] = "Mul", [part, twice]
            magnitude.Clear()
    return around.changed


def _join_factors(graph: "GraphProto") -> bool:
    around, reals, editor = _Neighbours(graph), _real_constants(graph), Editor(graph)
    for node in graph.node:
        for place in (0, 1) if node.op_type == "Mul" else ():
            first, factor = around.only(node.input[place], "Mul"), node.input[1 - place]
            own = [index for index in (0, 1) if first is not None and first.input[index] in reals]
            if first is None or factor not in reals or len(own) != 1:
                continue
            a, b = editor.value(first.input[own[0]]), editor.value(factor)
            size = int(np.prod(np.broadcast_shapes(a.shape, b.shape)))
            if size == max(a.size, b.size) and around.claim(first, node):
                node.input[:] = [first.input[1 - own[0]], editor.constant(f"{node.name}/factor", a * b)]
                first.Clear()
                break
    return around.changed


def _real_constants(graph: "GraphProto") -> set[str]:
    from onnx import TensorProto

    return {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}


_REWRITES = (_add_bias, _sink_transpose, _mean_before_transpose, _pool, _negative_part, _join_factors)
