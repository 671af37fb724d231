"""Types, inputs and outputs of a model, as generated Kotlin has them."""

import struct
from dataclasses import dataclass

from mobile_export.apps.interface import EdgeEntry, PreprocessingEntry
from mobile_export.apps.kotlin import names
from mobile_export.apps.members import Member


@dataclass(frozen=True)
class Kind:
    """An element type, as Kotlin, ONNX Runtime's classes and LiteRT's have it.

    Attributes:
        buffer: class of a public buffer.
        part: how ByteBuffer's `get` and `put` go on for it.
        number: makes a Double of an element.
        array, method: of CompiledModel's buffers, which take and give arrays; None where it has no such tensors.
        interpreter: whether LiteRT's Interpreter has such tensors.
        low, high: range of integers that stand for real values; both 0 where such never do.
    """

    type: str
    bytes: int
    buffer: str
    part: str = ""
    number: str = ".toDouble()"
    array: str | None = None
    method: str | None = None
    interpreter: bool = True
    low: int = 0
    high: int = 0

    @property
    def view(self) -> str:
        """Makes a public buffer of a ByteBuffer."""
        return ".duplicate().order(ByteOrder.nativeOrder())" if self.buffer == "ByteBuffer" else f".as{self.buffer}()"

    @property
    def onnx(self) -> str:
        """ONNX Runtime's name."""
        return {"FLOAT32": "FLOAT", "FLOAT64": "DOUBLE"}.get(self.type, self.type)

    @property
    def real(self) -> bool:
        """Whether it is of real numbers, which another runtime need not answer to the last bit."""
        return self.type.startswith("FLOAT")

    @property
    def cast(self) -> str:
        """What an integer is stored as."""
        return "Byte" if self.bytes == 1 else "Short"

    @property
    def integer(self) -> str:
        """The integer that is stored at `i`."""
        return f"buffer.get{self.part}({self.at('i')}).toInt(){' and 255' if self.low == 0 else ''}"

    def at(self, index: str) -> str:
        """Where an element is, in bytes."""
        return index if self.bytes == 1 else f"{self.bytes} * {index}"


KINDS = {
    "float32": Kind("FLOAT32", 4, "FloatBuffer", "Float", array="FloatArray", method="Float"),
    "float64": Kind("FLOAT64", 8, "DoubleBuffer", "Double", number="", interpreter=False),
    "int8": Kind("INT8", 1, "ByteBuffer", array="ByteArray", method="Int8", low=-128, high=127),
    "uint8": Kind(
        "UINT8", 1, "ByteBuffer", number=".toInt().and(255).toDouble()", array="ByteArray", method="Int8", high=255
    ),
    "int16": Kind("INT16", 2, "ShortBuffer", "Short", low=-32768, high=32767),
    "int32": Kind("INT32", 4, "IntBuffer", "Int", array="IntArray", method="Int"),
    "int64": Kind("INT64", 8, "LongBuffer", "Long", array="LongArray", method="Long"),
    "bool": Kind("BOOL", 1, "ByteBuffer", array="BooleanArray", method="Boolean"),
}
"""By NumPy's name."""


class KotlinMember(Member):
    """An input or output of the class."""

    @property
    def kind(self) -> Kind:
        """The type of its public elements."""
        return KINDS[self.port.dtype]

    @property
    def quantized(self) -> bool:
        """Whether some file has integers that stand for its values."""
        return any(edge.scale is not None for edge in self.edges)

    @property
    def stored(self) -> set[Kind]:
        """Types of the integers that stand for its values."""
        return {KINDS[edge.dtype] for edge in self.edges if edge.scale is not None}

    @property
    def shape(self) -> str:
        """The sizes that it is opened with."""
        return f"shapes.{self.name}" if self.is_open else f"{self.name}Shape"

    @property
    def summary(self) -> str:
        values = {"bool": "; 0 or 1", "uint8": "; each byte without sign"}.get(self.port.dtype, "")
        return f"{self.side.capitalize()} `{self.public}`: {self.port.dtype}{list(self.port.shape)}{values}."

    @property
    def raw(self) -> str | None:
        """What happens to raw values; None where they are taken as they are."""
        if (how := self.port.preprocessing) is None:
            return None
        order = "reversed from RGB to BGR, " if how.channel_order == "bgr" else ""
        return f"Raw values: on their way to the model they are {order}scaled and normalized."

    @property
    def buffer(self) -> str:
        """Where its public elements are: the runtime's own memory, unless they change on the way."""
        memory = f"{self.name}Memory"
        if self.port.preprocessing is not None:
            return f"direct(4 * {memory}.size){self.kind.view}"
        return f"{memory}.{'values()' if self.quantized else 'buffer'}{self.kind.view}"

    @property
    def value(self) -> str:
        """Body of the function that preprocesses element `i`."""
        how, channels = self._preprocessing, self.port.shape[-1] if self.port.shape else 1
        at = f"i + {channels - 1} - 2 * (i % {channels})" if how.channel_order == "bgr" else "i"
        return f"({self.name}.get({at}) * {_float(how.scale)} - {self._of('Mean')}) / {self._of('Std')}"

    @property
    def channels(self) -> dict[str, str]:
        """Constants of preprocessing that differ by channel: the elements of an array, by the end of its name."""
        how = self.port.preprocessing
        values = {} if how is None else {"Mean": how.mean, "Std": how.std}
        return {ending: ", ".join(map(_float, found)) for ending, found in values.items() if len(found) > 1}

    def _of(self, ending: str) -> str:
        if ending in self.channels:
            return f"{self.name}{ending}[i % {self.port.shape[-1]}]"
        how = self._preprocessing
        return _float((how.mean if ending == "Mean" else how.std)[0])

    @property
    def _preprocessing(self) -> PreprocessingEntry:
        if self.port.preprocessing is None:
            raise ValueError(f"{self.public} is taken as it is")
        return self.port.preprocessing

    @property
    def label_separator(self) -> str:
        return names.label_separator(self.labels)

    @property
    def label_lines(self) -> list[str]:
        return list(names.label_lines(self.labels, self.label_separator))


def edge_arguments(edge: EdgeEntry) -> str:
    """What an Edge is made of."""
    plain = f"{names.literal(edge.name)}, Type.{KINDS[edge.dtype].type}"
    return plain if edge.scale is None else f"{plain}, {edge.scale!r}, {edge.zero_point or 0}"


def _float(value: float) -> str:
    """The shortest Float of the same bits as NumPy's."""
    bits = struct.pack("<f", value)
    texts = (f"{value:.{digits}g}" for digits in range(1, 10))
    return next(text for text in texts if struct.pack("<f", float(text)) == bits) + "f"
