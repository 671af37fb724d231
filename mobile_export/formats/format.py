"""What a format is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mobile_export.graph import Graph
from mobile_export.runner import Runner
from mobile_export.samples import Samples


@dataclass(frozen=True)
class Request:
    """One file to write.

    Attributes:
        artifact: the artifact's name, for errors.
        path: where the file goes; the folder above it exists.
        precision: one of the format's `precisions`.
        interface: element type at the file's inputs and outputs, one of those that the precision allows.
        allow_float_operators: whether an int8 file may compute in float inside.
        allow_select_tf_ops: whether a .tflite file may need TensorFlow's own operators, by the Flex delegate.
        labels: files with one class name a line, by public output name.
    """

    artifact: str
    path: Path
    precision: str = "float32"
    interface: str = "float32"
    allow_float_operators: bool = False
    allow_select_tf_ops: bool = False
    labels: Mapping[str, Path] = field(default_factory=dict)


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
    def precisions(self) -> Mapping[str, Sequence[str]]:
        """Each precision that can be written, and the interface dtypes it allows, the default first."""
        ...

    @property
    def calibrated(self) -> Collection[str]:
        """The precisions whose value ranges are measured on calibration data."""
        ...

    def write(self, graph: Graph, requests: Sequence[Request], calibration: Samples | None) -> None:
        """Write every requested file of this format; what they share is done once.

        Args:
            graph: optimized, with public names in its inputs and outputs.
            requests: at least one.
            calibration: representative samples by public input name; present when a precision needs them.

        Raises:
            ConversionError: the converter failed, or wrote what its runtime does not load.
        """
        ...

    def open(self, path: Path) -> Runner:
        """Load a written file in its runtime; edges carry the public names, in the graph's order.

        A file that no runtime here can run has its edges too; calling it raises NotRunnableError.

        Raises:
            ConversionError: the runtime does not load it.
        """
        ...
