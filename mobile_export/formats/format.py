"""What a format is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from mobile_export.graphs.graph import Graph
from mobile_export.quantize.scheme import Scheme
from mobile_export.runner import Runner
from mobile_export.samples import Samples
from mobile_export.target import Preprocessing


@dataclass(frozen=True)
class About:
    """What files say of the model that they hold, to apps and people; no answer depends on it.

    Attributes:
        version: of the model; empty where nobody has given it one.
        labels: names of classes by public output name.
        preprocessing: what training did to raw values, by public input name.
    """

    version: str = ""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    preprocessing: Mapping[str, Preprocessing] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, bytes]:
        """Text files that go with the model: of labels, one a line, called after the output."""
        return {labels_name(output): "".join(f"{n}\n" for n in names).encode() for output, names in self.labels.items()}


def labels_name(output: str) -> str:
    """What the file with the labels of a public output is called."""
    return f"{output}_labels.txt"


@dataclass(frozen=True)
class Request:
    """One file to write.

    Attributes:
        artifact: the artifact's name, for errors.
        path: where the file goes; the folder above it exists.
        precision: one of the format's `precisions`; that of the scheme.
        interface: element type at the file's inputs and outputs, one of those that the precision allows.
        allow_float_operators: whether what was to compute in integers may compute in float inside.
        allow_select_tf_ops: whether a .tflite file may need TensorFlow's own operators, by the Flex delegate.
        about: what the file is to say of the model.
        scheme: how numbers are stored and computed, in detail; default: `precision` throughout.
    """

    artifact: str
    path: Path
    precision: str = "float32"
    interface: str = "float32"
    allow_float_operators: bool = False
    allow_select_tf_ops: bool = False
    about: About = About()
    scheme: Scheme | None = None

    @property
    def numbers(self) -> Scheme:
        """The scheme that holds."""
        return self.scheme or Scheme(self.precision)


@dataclass(frozen=True)
class Layer:
    """An operator with weights, which may have a precision of its own.

    Attributes:
        name: what `Scheme.layers` calls it: that of the tensor it writes.
        operator: its kind, as the format calls it.
        weights: values of its weights.
        inputs: names of the layers whose results it reads, across operators that hold no weights.
    """

    name: str
    operator: str
    weights: int
    inputs: tuple[str, ...] = ()


class Format(Protocol):
    """A kind of file that an app ships."""

    @property
    def suffix(self) -> str:
        """File name ending, dot included."""
        ...

    @property
    def folder(self) -> bool:
        """Whether what is written is a folder of files."""
        ...

    @property
    def runtime(self) -> str:
        """What `open` runs files in."""
        ...

    @property
    def tools(self) -> Sequence[str]:
        """Packages whose versions shape the bytes."""
        ...

    @property
    def room(self) -> int | None:
        """Bytes of weights, as the graph has them, that a file can be made of; None where any number is right.

        Files of every precision are made of the graph's own weights, so that it does not matter how small they get.
        """
        ...

    @property
    def precisions(self) -> Mapping[str, Sequence[str]]:
        """Each precision that can be written, and the interface dtypes it allows, the default first."""
        ...

    @property
    def calibrated(self) -> Collection[str]:
        """The precisions whose value ranges are measured on calibration data."""
        ...

    def write(self, graph: Graph, requests: Sequence[Request], calibration: Samples | None) -> Mapping[str, str]:
        """Write every requested file of this format; what they share is done once.

        Args:
            graph: optimized, with public names in its inputs and outputs.
            requests: at least one.
            calibration: representative samples by public input name; present when a precision needs them.

        Returns:
            By the artifact's name, which engine has quantized the file; nothing of files that are not quantized.

        Raises:
            ConversionError: the converter failed, or wrote what its runtime does not load.
        """
        ...

    def open(self, path: Path, threads: int | None = None) -> Runner:
        """Load a written file in its runtime, to run in so many threads; default: this process's share of the cores.

        Edges carry the public names, in the graph's order. A file that no runtime here can run has its edges too;
        calling it raises NotRunnableError.

        Raises:
            ConversionError: the runtime does not load it.
        """
        ...


@runtime_checkable
class FolderFormat(Format, Protocol):
    """A format whose artifacts are folders."""

    def contents(self, about: About) -> Sequence[str]:
        """Paths of the files in a folder that `write` makes, whatever the graph."""
        ...


@runtime_checkable
class Quantizable(Format, Protocol):
    """A format in which many files are made of one converted model, in little time each; what a search needs."""

    @property
    def layer_precisions(self) -> Sequence[str]:
        """What `Scheme.layers` may say, from the fewest bytes of weights to the most; `float32` is the last."""
        ...

    @property
    def choices(self) -> Mapping[str, Sequence[str]]:
        """Which values of `Scheme.ranges` and `Scheme.weights` there are, by field, the default first."""
        ...

    def convert(self, graph: Graph, folder: Path, requests: Sequence[Request]) -> None:
        """Leave in `folder` what all files share: the float model.

        Args:
            requests: what will be asked for, of any scheme; they agree on which operators are allowed.

        Raises:
            ConversionError: the converter failed.
        """
        ...

    def calibrate(self, graph: Graph, folder: Path, requests: Sequence[Request], calibration: Samples) -> None:
        """Add to the model converted in `folder` the value ranges that files need whose precision is `calibrated`.

        Args:
            requests: what will be asked for that needs them.

        Raises:
            ConversionError: the model cannot run, or its values have no range.
        """
        ...

    def layers(self, folder: Path) -> tuple[Layer, ...]:
        """The layers of a converted model, in the order in which they compute."""
        ...

    def quantize(self, folder: Path, request: Request) -> str:
        """Write one file of the model converted in `folder`.

        Returns:
            The engine that has quantized it, such as litert-quantizer; empty where all stays float32.

        Raises:
            ConversionError: the quantizer refuses it, or a layer is not known, or the runtime does not load it.
        """
        ...

    def stored(self, path: Path) -> Mapping[str, int]:
        """Values of the weights in a written file, by the element type in which they are stored."""
        ...


def calibrated_requests(unit: Quantizable, requests: Sequence[Request]) -> list[Request]:
    """Those that need value ranges."""
    return [request for request in requests if request.numbers.precisions & set(unit.calibrated)]


def quantize_all(unit: Quantizable, folder: Path, requests: Sequence[Request]) -> dict[str, str]:
    """Write every file of the model converted in `folder`; what `Format.write` returns."""
    engines = {request.artifact: unit.quantize(folder, request) for request in requests}
    return {artifact: engine for artifact, engine in engines.items() if engine}
