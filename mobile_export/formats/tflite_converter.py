"""A graph as a float .tflite file, by TensorFlow's converter: what every other file of that format is made of.

TensorFlow's frozen-graph route is the cheapest and leaves no signature: it is added afterwards.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from mobile_export.errors import ConversionError
from mobile_export.formats import flatbuffer, tflite_edges
from mobile_export.formats.public_names import with_public_names
from mobile_export.formats.tflite_weights import put_back, skeletons
from mobile_export.graphs.graph import Graph, short, total_bytes
from mobile_export.session import import_tensorflow
from mobile_export.transforms.element_shapes import fix_element_shapes
from mobile_export.transforms.propagate_constants import propagate_constants
from mobile_export.transforms.tensor_arrays import replace_tensor_arrays

_FLEX = (
    ", unless Select TF ops are allowed with allow_select_tf_ops = true in each tflite artifact (adds the Flex library "
    "to the app; cannot be checked here)"
)


def convert(graph: Graph, allow_select_tf_ops: bool = False) -> bytes:
    """The float32 file of `graph`, with signature and public names.

    Args:
        allow_select_tf_ops: whether TensorFlow's own operators may be used when the builtin ones do not suffice.

    Raises:
        ConversionError: TensorFlow Lite lacks an operator, or the graph is too large for it.
    """
    if total_bytes(graph.constants) > flatbuffer.MAX_BYTES:
        raise ConversionError("the model is larger than 2 GB, which is all that a .tflite file can hold")
    unknown = [spec.name for spec in graph.inputs if spec.shape is None]
    if unknown:
        raise ConversionError(f"the input {unknown[0]!r} has no known rank; give its shape in [[model.inputs]]")
    graph = with_public_names(graph)  # nodes of loops, which the converter rewrites, are no outputs for it
    graph = _with_fixed_lists(graph)
    model = _converted(graph, allow_select_tf_ops)
    tflite_edges.publish(model, [spec.name for spec in graph.inputs], [spec.name for spec in graph.outputs])
    return flatbuffer.write_model(model)


def _converted(graph: Graph, allow_select_tf_ops: bool) -> Any:
    kinds = import_tensorflow().lite.OpsSet
    for light, held in skeletons(graph):
        with suppress(ConversionError):  # it says so again of the whole graph
            model = flatbuffer.read_model(_run(light, [kinds.TFLITE_BUILTINS]))
            if put_back(model, held):
                return model
    try:
        content = _run(graph, [kinds.TFLITE_BUILTINS])
    except ConversionError:
        if not allow_select_tf_ops:
            raise
        content = _run(graph, [kinds.TFLITE_BUILTINS, kinds.SELECT_TF_OPS])
    return flatbuffer.read_model(content)


def _with_fixed_lists(graph: Graph) -> Graph:
    """What loops collect in the terms of the converter: in lists of fixed size with elements of fixed shape."""
    fixed = fix_element_shapes(replace_tensor_arrays(graph))
    if 0 < _arrays(fixed) < _arrays(graph):  # how many a loop collects may be what another one has collected
        return _with_fixed_lists(propagate_constants(fixed))
    return fixed


def _arrays(graph: Graph) -> int:
    return sum(node.op == "TensorArrayV3" for node in graph.nodes.values())


def _run(graph: Graph, operators: Sequence[Any]) -> bytes:
    tensorflow = import_tensorflow()
    from tensorflow.lite.python.convert import ConverterError

    converter = tensorflow.compat.v1.lite.TFLiteConverter(
        graph.to_graph_def(),
        None,
        None,
        input_arrays_with_shape=[(short(spec.tensor), spec.shape) for spec in graph.inputs],
        output_arrays=[short(spec.tensor) for spec in graph.outputs],
    )
    converter.exclude_conversion_metadata = True  # TensorFlow's version and options, of no use to an app
    converter.target_spec.supported_ops = operators
    try:
        converted: bytes = converter.convert()
    except (ConverterError, ValueError) as error:
        raise _explained(str(error), graph) from error
    return converted


def _explained(message: str, graph: Graph) -> ConversionError:
    """One sentence for what MLIR says in dozens of lines, with the nodes that it names."""
    refused: dict[str, str] = {}
    for line in message.splitlines():
        operator = re.search(r"error: .*'tf\.(\w+)' op is neither|failed to legalize operation 'tf\.(\w+)'", line)
        if operator:
            nodes = [name for name in re.findall(r'"([^"]*)"', line.split("'tf.")[0]) if not name.endswith(":")]
            node = nodes[0].partition("@")[0] if nodes else ""
            refused[(operator[1] or operator[2]) + (f" (node {node!r})" if node else "")] = node
    if not refused and "Lowering tensor list ops is failed" in message:
        lists = [node for node in graph.nodes.values() if node.op in ("EmptyTensorList", "TensorListReserve")]
        refused = {f"{node.op} (node {node.name!r})": node.name for node in lists}
    if not refused:
        return ConversionError(f"the TensorFlow Lite converter failed: {message.strip().splitlines()[0]}")
    if any(operator.startswith(("TensorArray", "TensorList")) for operator in refused):
        return _loop_refused(list(refused), graph)
    types = " on float64" if "f64>" in message else ""
    flex = _FLEX if "TF Select ops:" in message and "Custom ops:" not in message else ""  # it does not have these
    return ConversionError(
        f"TensorFlow Lite has no operator for {', '.join(refused)}{types}{flex}", nodes=filter(None, refused.values())
    )


def _loop_refused(refused: Sequence[str], graph: Graph) -> ConversionError:
    """What to do about `refused`, operators on lists: it has none, and makes tensors of lists where it can."""
    more = f" and {len(refused) - 3} more" if len(refused) > 3 else ""
    said = f"TensorFlow Lite has no operator for {', '.join(refused[:3])}{more}: it runs such a loop only where "
    dynamic = [spec.name for spec in graph.inputs if -1 in (spec.shape or ())]
    if dynamic:
        return ConversionError(
            f"{said}all sizes are fixed; give {', '.join(map(repr, dynamic))} a shape without -1 in [[model.inputs]], "
            "such as a batch of 1"
        )
    return ConversionError(
        f"{said}it is known beforehand how many elements of what shape the loop collects; name inputs and outputs that "
        "leave it out, or choose another format"
    )
