"""The operators of a file that compute something else on a device than here.

Both sides run the same files in the runtime's usual way, as an app does: with XNNPACK unless the device has it off, and
with ONNX Runtime's optimizations. First this computer runs the whole file and notes what every operator writes. Then
the file is cut apart: each operator is fed exactly these values, there as here, so that what it answers is its own
work, and nothing that was handed down to it. A tensor that is fed or watched cannot be optimized away, on either side;
what ONNX Runtime computes in integers stays whole, from the integers that are read to those that are written.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_export.devices import Device
from mobile_export.errors import ConversionError, ModelError
from mobile_export.formats import FORMATS
from mobile_export.graphs.tensors import Array
from mobile_export.runner import Runner, batches
from mobile_export.samples import Samples
from mobile_export.watching import NETWORKS
from mobile_export.watching.network import Network, Quantization, Values, Watched
from mobile_export.watching.steps import Step, steps

SAMPLES = 4
"""How many are run where nobody says."""
ROUNDING = 1e-5
"""What real values may differ where nobody says: sums of thousands of products, in another order."""
MOST_BYTES = 64 << 20
"""What operators write, all of them together, if they are to be fed one by one: fewer samples are run, or none is."""

_ADDED_UP = (
    "fed the same values, no operator differs by more than rounding; in a run of the whole file this adds up, and "
    "{0.name!r} ({0.operator}) is the first that differs, by {0.difference:.2g}"
)


@dataclass(frozen=True)
class Differing:
    """An operator that computes something else on a device.

    Attributes:
        name: of the tensor that it writes.
        operator: its kind, as the format calls it; several where they are computed as one.
        difference: largest difference of its values, over their largest magnitude here.
        share: of its values that differ; of real ones, those that do by more than was allowed.
        reason: what is known of it, in words.
    """

    name: str
    operator: str
    difference: float
    share: float
    reason: str = ""


@dataclass(frozen=True)
class Differences:
    """What `differing` found.

    Attributes:
        operators: worst first.
        note: what else has to be said, such as why there are none; may be empty.
        samples: how many were run.
    """

    operators: tuple[Differing, ...] = ()
    note: str = ""
    samples: int = 0


def differing(
    kind: str, path: Path, device: Device, feeds: Samples, tolerance: float = ROUNDING, most: int = SAMPLES
) -> Differences:
    """The operators of a file that compute something else on `device` than here, of the same values.

    Args:
        kind: the file's format.
        feeds: samples as the file takes them, real values by public name; those that differ most come first.
        tolerance: largest difference of real values that is rounding, over the largest magnitude that the operator
            writes; integers differ where they are not the same.
        most: how many samples are run; fewer where that would take too much memory.

    Raises:
        ModelError: the samples do not fit, or the file cannot be looked into.
        ConversionError: it does not run, here or there, once its operators are watched.
    """
    if kind not in NETWORKS:
        known = " and ".join(FORMATS[name].suffix for name in NETWORKS)
        note = f"operators of {FORMATS[kind].suffix} files cannot be watched; those of {known} can"
        return Differences(note=note)
    few = {name: array[:most] for name, array in feeds.items()}
    comparison = _Comparison(kind, NETWORKS[kind](path), device, tolerance, few)
    if comparison.is_large:
        return comparison.in_one_run(f"its operators write more than {MOST_BYTES >> 20} MiB for one sample")
    try:
        found = comparison.one_by_one()
    except (ConversionError, ModelError) as error:  # such as of operators whose sizes nobody knows before they run
        return comparison.in_one_run(str(error))
    return found if found.operators else comparison.added_up()


class _Comparison:
    """A file here and on a device, run on the same samples."""

    def __init__(self, kind: str, network: Network, device: Device, tolerance: float, feeds: Samples) -> None:
        self._kind, self._network, self._device, self._tolerance = kind, network, device, tolerance
        self._steps = steps(network)
        self._file = network.watched([step.tensor for step in self._steps])
        wanted, given = zip(*_given(network, feeds), strict=True)
        self._noted = _within(MOST_BYTES, self._here(self._file, given))
        self._given = given[: len(self._noted)]
        self._samples = sum(wanted[: len(self._noted)])

    @property
    def is_large(self) -> bool:
        """Whether operators write too much of one sample to be fed with it."""
        return _size(self._noted[0]) > MOST_BYTES

    def one_by_one(self) -> Differences:
        """The operators that differ where each is fed what was noted, worst first."""
        file = self._network.watched([step.tensor for step in self._steps], cut=True)
        fed = [given | noted for given, noted in zip(self._given, self._noted, strict=True)]
        found = self._found(self._here(file, fed), self._there(file, fed))
        return Differences(_worst_first(found.values()), samples=self._samples)

    def in_one_run(self, why: str) -> Differences:
        """The operators that differ in a run of the whole file although what they read does not."""
        found = self._found(self._noted, self._there(self._file, self._given))
        own = [found[s.tensor] for s in self._steps if s.tensor in found and found.keys().isdisjoint(s.reads)]
        note = f"operators were compared in a run of the whole file: {why}"
        return Differences(_worst_first(own), note, self._samples)

    def added_up(self) -> Differences:
        """What there is to say where no operator differs by itself."""
        found = self._found(self._noted, self._there(self._file, self._given))
        note = _ADDED_UP.format(next(iter(found.values()))) if found else ""
        return Differences(note=note, samples=self._samples)

    def _here(self, file: Watched, fed: Iterable[Values]) -> Iterator[Values]:
        return _answers(self._kind, file, fed, lambda path: nullcontext(FORMATS[self._kind].open(path)))

    def _there(self, file: Watched, fed: Iterable[Values]) -> list[Values]:
        return list(_answers(self._kind, file, fed, lambda path: self._device.open(self._kind, path)))

    def _found(self, here: Iterable[Values], there: Iterable[Values]) -> dict[str, Differing]:
        """The steps that differ, by tensor, in the order in which they compute."""
        expected, answered = list(here), list(there)
        found = {}
        for step in self._steps:
            before, after = ([values[step.tensor] for values in side] for side in (expected, answered))
            one = _compared(step, self._network.quantized.get(step.tensor), before, after, self._tolerance)
            if one is not None:
                found[step.tensor] = one
        return found


def _given(network: Network, feeds: Samples) -> Iterator[tuple[int, Values]]:
    """Batches of the file's inputs, as it stores them, each with how many samples it has."""
    for wanted, _, batch in batches(network.edges, feeds, most=1):
        yield wanted, {network.inputs[edge.name]: edge.quantize(batch[edge.name]) for edge in network.edges}


def _answers(
    kind: str, file: Watched, fed: Iterable[Values], opening: Callable[[Path], AbstractContextManager[Runner]]
) -> Iterator[Values]:
    """What the watched tensors are, as the file stores them."""
    with tempfile.TemporaryDirectory(prefix="mobile-export-", ignore_cleanup_errors=True) as folder:
        path = Path(folder, f"watched{FORMATS[kind].suffix}")
        path.write_bytes(file.content)
        with opening(path) as runner:
            for values in fed:
                answers = runner({name: values[name] for name in file.inputs})
                yield {name: answers[output] for name, output in file.outputs.items()}


def _within(most: int, answers: Iterable[Values]) -> list[Values]:
    """The first of them, until they take `most` bytes."""
    taken: list[Values] = []
    for values in answers:
        taken.append(values)
        if sum(map(_size, taken)) >= most:
            break
    return taken


def _size(values: Values) -> int:
    return sum(array.nbytes for array in values.values())


def _compared(
    step: Step, quantization: Quantization | None, here: Sequence[Array], there: Sequence[Array], tolerance: float
) -> Differing | None:
    """How `step` differs, if it does, in what is stored of it."""
    if any(one.shape != other.shape or one.dtype != other.dtype for one, other in zip(here, there, strict=True)):
        return Differing(step.name, step.operator, float("inf"), 1.0, "has another shape there")
    stored = [np.concatenate([array.reshape(-1) for array in side]) for side in (here, there)]
    whole = stored[0].dtype.kind != "f"
    zero = 0.0 if quantization is None else float(quantization.zero_point[0])
    real, other = (side.astype(np.float64) - zero for side in stored)
    with np.errstate(invalid="ignore"):  # what is infinite on both sides
        apart = np.where((real == other) | (np.isnan(real) & np.isnan(other)), 0.0, np.abs(other - real))
    apart[np.isnan(apart)] = np.inf  # not a number on one side alone
    largest = float(np.abs(real[np.isfinite(real)]).max(initial=0.0)) or 1.0
    differ = apart > (0 if whole else tolerance * largest)
    if not differ.any():
        return None
    furthest = float(apart.max())
    reason = _reason(step, int(furthest) if whole and quantization is not None else None)
    return Differing(step.name, step.operator, furthest / largest, float(differ.mean()), reason)


def _reason(step: Step, quantized_steps: int | None) -> str:
    """What is known of a difference, of so many steps where integers stand for real values."""
    if quantized_steps is not None:
        return "rounds differently, by one step" if quantized_steps == 1 else f"is off by up to {quantized_steps} steps"
    return "quantizes what it reads as it runs" if step.quantizes else ""


def _worst_first(found: Iterable[Differing]) -> tuple[Differing, ...]:
    return tuple(sorted(found, key=lambda one: -one.difference))
