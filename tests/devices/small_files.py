"""Small files, put together by hand: one or a few operators over edges of any kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mobile_export.formats.flatbuffer import add_tensor, make_operator, schema, write_model


@dataclass
class TFLiteFile:
    """A .tflite file in the making; tensors are numbers, operators run in the order in which they are added."""

    model: Any = field(init=False)

    def __post_init__(self) -> None:
        types = schema()
        self.model = types.ModelT(version=3, operatorCodes=[], buffers=[types.BufferT()])
        self.main = types.SubGraphT(tensors=[], inputs=[], outputs=[], operators=[])
        self.model.subgraphs = [self.main]

    def tensor(self, name: str, dtype: str = "float32", shape: Sequence[int] = (-1, 4), content: Any = None) -> int:
        """A tensor; -1 is a dynamic size, and `content` makes a constant of it."""
        signature = list(shape) if min(shape, default=0) < 0 else None
        dtype_number = getattr(schema().TensorType, dtype.upper())
        index = add_tensor(self.main, name.encode(), dtype_number, [max(1, size) for size in shape], signature)
        if content is not None:
            self.model.buffers.append(schema().BufferT(data=content.tobytes()))
            self.main.tensors[index].buffer = len(self.model.buffers) - 1
        return index

    def operator(self, kind: str, inputs: list[int], output: int, options: Any = None) -> int:
        """Write `output`, by a builtin operator."""
        made = make_operator(self.model, getattr(schema().BuiltinOperator, kind), inputs, output)
        if options is not None:
            made.builtinOptionsType = getattr(schema().BuiltinOptions, type(options).__name__.removesuffix("T"))
            made.builtinOptions = options
        self.main.operators.append(made)
        return output

    def sign(self, key: str, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> None:
        """Add a signature of the graph."""
        entries = [[schema().TensorMapT(name.encode(), i) for name, i in side.items()] for side in (inputs, outputs)]
        signed = schema().SignatureDefT(*entries, key.encode(), 0)
        self.model.signatureDefs = [*(self.model.signatureDefs or []), signed]

    def write(self, path: Path, inputs: list[int], outputs: list[int]) -> Path:
        self.main.inputs, self.main.outputs = inputs, outputs
        path.write_bytes(write_model(self.model))
        return path
