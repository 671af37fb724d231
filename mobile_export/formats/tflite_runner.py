"""A .tflite file in the runtime that the phone uses: LiteRT's interpreter with its default delegate, XNNPACK."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export import machine
from mobile_export.errors import ConversionError, ModelError, NotRunnableError
from mobile_export.formats.flatbuffer import map_file, select_tf_ops
from mobile_export.formats.tflite_edges import SIGNATURE
from mobile_export.graphs.tensors import Array
from mobile_export.runner import Edge
from mobile_export.tools import import_tool


class TFLiteRunner:
    """A loaded .tflite file.

    Edges are in the file's order, which is the graph's, under their signature names; a file without signature has
    its tensor names instead.
    """

    def __init__(self, path: Path, threads: int | None = None, xnnpack: bool = True) -> None:
        """Load `path`.

        Args:
            threads: to run in; default: this process's share of the cores.
            xnnpack: whether operators run in XNNPACK where it has them, or all in LiteRT's own kernels.

        Raises:
            ConversionError: it is damaged, or uses an operator that the runtime lacks.
        """
        self._path = path
        runtime = import_tool("ai_edge_litert.interpreter")
        kernels = runtime.OpResolverType.AUTO if xnnpack else runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            self._interpreter = runtime.Interpreter(
                model_path=str(path),
                num_threads=threads or machine.threads(),
                experimental_op_resolver_type=kernels,
            )
            inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
            self._runnable = not select_tf_ops(map_file(path))
            allocated = self._runnable and not _sizes_unknown(inputs)
            if allocated:
                self._interpreter.allocate_tensors()
            signed_inputs, signed_outputs = self._signature()
        except (ValueError, RuntimeError) as error:
            raise ConversionError(f"{path.name}: the LiteRT runtime does not load it: {error}") from error
        self._input_edges = tuple(_edge(detail, signed_inputs) for detail in inputs)
        self._output_edges = tuple(_edge(detail, signed_outputs) for detail in outputs)
        self._input_indices = [detail["index"] for detail in inputs]
        self._output_indices = [detail["index"] for detail in outputs]
        self._shapes = [tuple(detail["shape"]) for detail in inputs]
        self._allocated = allocated

    @property
    def inputs(self) -> tuple[Edge, ...]:
        return self._input_edges

    @property
    def outputs(self) -> tuple[Edge, ...]:
        return self._output_edges

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run one batch.

        Raises:
            ModelError: an input has another shape or element type than the file.
            NotRunnableError: it needs TensorFlow's own operators.
            ConversionError: an operator fails.
        """
        if not self._runnable:
            raise NotRunnableError("not run: no interpreter here has the Flex delegate")
        values = [feeds[edge.name] for edge in self._input_edges]
        try:
            self._resize([value.shape for value in values])
            for index, value in zip(self._input_indices, values, strict=True):
                self._interpreter.set_tensor(index, value)
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{self._path.name} does not take these inputs: {error}") from error
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise ConversionError(f"{self._path.name} fails in the LiteRT runtime: {error}") from error
        answers = [self._interpreter.get_tensor(index) for index in self._output_indices]
        return {edge.name: answer for edge, answer in zip(self._output_edges, answers, strict=True)}

    def _resize(self, shapes: list[tuple[int, ...]]) -> None:
        if self._allocated and shapes == self._shapes:
            return
        for index, shape in zip(self._input_indices, shapes, strict=True):
            self._interpreter.resize_tensor_input(index, shape, strict=True)
        self._interpreter.allocate_tensors()
        self._shapes, self._allocated = shapes, True

    def _signature(self) -> tuple[dict[int, str], dict[int, str]]:
        """Names by tensor index."""
        if SIGNATURE not in self._interpreter.get_signature_list():
            return {}, {}
        signature = self._interpreter.get_signature_runner(SIGNATURE)
        details = signature.get_input_details(), signature.get_output_details()
        inputs, outputs = ({detail["index"]: name for name, detail in side.items()} for side in details)
        return inputs, outputs


def _sizes_unknown(details: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a dimension behind the batch is dynamic: the stand-in size 1 need not suit the model then."""
    return any(size < 0 for detail in details for size in detail["shape_signature"][1:])


def _edge(detail: Mapping[str, Any], names: Mapping[int, str]) -> Edge:
    name = names.get(detail["index"], detail["name"])
    dtype = "string" if detail["dtype"] in (np.bytes_, np.str_, np.object_) else np.dtype(detail["dtype"]).name
    shape = tuple(int(size) for size in detail["shape_signature"])
    scale, zero_point = detail["quantization"]
    if not scale:
        return Edge(name, dtype, shape)
    return Edge(name, dtype, shape, float(scale), int(zero_point))
