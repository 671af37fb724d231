"""What an inspection finds, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mobile_export.graphs.graph import TensorSpec
from mobile_export.target import Model


@dataclass(frozen=True)
class Edge:
    """A tensor that is an input or output, or may be one.

    Attributes:
        spec: public name, tensor, element type ("" where it is not known) and shape, as saved.
        why: what speaks for it, in a few words; "" where the model or the user names it.
        chosen: whether the network was cut out with it.
    """

    spec: TensorSpec
    why: str = ""
    chosen: bool = True


@dataclass(frozen=True)
class Edges:
    """All inputs, or all outputs.

    Attributes:
        how: who says so: the `user`, the model's own `signature`, or the graph, where they are `inferred` if there is
            one choice, and `candidates` where a build asks to choose; `cut` where others cannot be held.
        edges: the best first.
    """

    how: Literal["user", "signature", "inferred", "candidates", "cut"]
    edges: tuple[Edge, ...]

    @property
    def chosen(self) -> tuple[TensorSpec, ...]:
        """Those that the network was cut out with."""
        return tuple(edge.spec for edge in self.edges if edge.chosen)


@dataclass(frozen=True)
class Seen:
    """What a look at a model shows.

    Attributes:
        notes: how it was read, a sentence each.
        inputs, outputs: what they are, or may be.
        operators: how many nodes of each operator the network has, as it was saved.
        leftovers: how many nodes training left, by kind; they are dropped.
        dropout: how many random operators go with dropouts.
        switches: training switches, which are off at inference.
        moving_averages: how many of the network's variables have a moving average beside them.
        devices: how many nodes are pinned to each device; that is dropped.
        tables: files of words, by lookup table.
        obstacles: what no file can hold, a sentence each.
        cut: where to cut it off, with the lines for a target; "" without obstacles.
        model: what a target has to say for a build of the network; None where there is none.
        problem: why there is none.
    """

    notes: tuple[str, ...]
    inputs: Edges
    outputs: Edges
    operators: Mapping[str, int]
    leftovers: Mapping[str, int]
    dropout: int
    switches: tuple[str, ...]
    moving_averages: int
    devices: Mapping[str, int]
    tables: Mapping[str, str]
    obstacles: tuple[str, ...]
    cut: str
    model: Model | None
    problem: str


@dataclass(frozen=True)
class Network:
    """An optimized forward network in numbers.

    Attributes:
        operators: how many nodes there are of each, the most frequent first; constants and placeholders left out.
        parameters: how many numbers of floating-point type its constants have.
        weight_bytes: their size as float32.
        macs: multiplications with a weight for one run, of convolutions and matrix products; None where shapes are
            not known.
        loops, branches: control flow that is still there.
    """

    operators: Mapping[str, int]
    parameters: int
    weight_bytes: int
    macs: int | None
    loops: int
    branches: int


@dataclass(frozen=True)
class Ready:
    """A model that every format can be tried with.

    Attributes:
        model: with a shape for each of its inputs.
        inputs, outputs: as the files have them.
        network: what they compute.
        frozen_size: bytes of the optimized, frozen float32 graph.
    """

    model: Model
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    network: Network
    frozen_size: int


@dataclass(frozen=True)
class Verdict:
    """What came of a format at one precision.

    Attributes:
        outcome: `ok`; `differs`: it loads, and its answers miss a limit; `unchecked`: nothing here can run it;
            `refused`: there is no file, or none that loads.
        size: bytes of the file; None without one.
        reason: why it is not ok, and what to do about it.
    """

    format: str
    precision: str
    outcome: Literal["ok", "differs", "unchecked", "refused"]
    size: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Inspection:
    """All that was found.

    Attributes:
        form, why: the form of the model, and how it was recognized.
        files: sizes in bytes, by path.
        signatures: of a SavedModel, the names of each tag set's signatures.
        seen: what a look at it shows.
        ready: the network in numbers, with shapes for an app; None where nothing was tried, or nothing can be made.
        problem: why nothing can be made; "" otherwise.
        verdicts: what came of each format; empty where none was tried.
    """

    source: Path
    form: str
    why: str
    files: Mapping[Path, int]
    seen: Seen
    signatures: Mapping[tuple[str, ...], tuple[str, ...]]
    ready: Ready | None = None
    problem: str = ""
    verdicts: tuple[Verdict, ...] = ()
