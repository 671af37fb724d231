"""Running a file beside the float file, and what that says of each layer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_export.data import Wanted, read_samples
from mobile_export.errors import ConversionError, ModelError
from mobile_export.explanation.alignment import INPUT, Pair, align
from mobile_export.explanation.reasons import Facts, Reason, reasons
from mobile_export.explanation.sources import Source
from mobile_export.explanation.statistics import Real, Tally
from mobile_export.explanation.weights import compare_weights
from mobile_export.graphs.graph import TensorSpec
from mobile_export.graphs.tensors import Array
from mobile_export.runner import batches
from mobile_export.samples import Samples
from mobile_export.target import DataSource
from mobile_export.watching import NETWORKS
from mobile_export.watching.network import Network, Values, Watch


@dataclass(frozen=True)
class LayerError:
    """How a layer of the file differs from that of the float file.

    Attributes:
        name: of the tensor that it writes.
        operator: its kind in the float file; `input` for an input.
        precision: how the file computes it.
        stored: element type in which the file keeps its values.
        sqnr: signal to noise of its values in dB, where signal is what moves between samples, as in the gate's `sqnr`;
            infinite where both files agree.
        own_sqnr: the same of what it makes of exact inputs, rounded to the file's types; None where not measured.
        cosine: of the angle between both files' values.
        range_used: share of the range of its integers that the float file's values reach; None in float.
        saturation: share of these values that lie beyond the range; None in float.
        weights_sqnr: signal to noise of its weights in dB; None without weights, or of a form that is not read.
        settable: what a target's `layers` calls the layer with weights that decides how it is computed: itself, or the
            nearest one; None in a model that has none.
        reasons: why it errs; empty where it does not, or nothing tells.
    """

    name: str
    operator: str
    precision: str
    stored: str
    sqnr: float
    own_sqnr: float | None
    cosine: float
    range_used: float | None
    saturation: float | None
    weights_sqnr: float | None
    settable: str | None
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Compared:
    """What `compare` found: how many samples ran, the layers, worst first, and what could not be measured."""

    samples: int
    layers: tuple[LayerError, ...]
    note: str


def compare(name: str, path: Path, baseline: Path, source: Source, count: int) -> Compared:
    """Run `count` samples through both files. To be called in a worker: a damaged file may end the process.

    Raises:
        ModelError: the files have nothing in common, or the samples do not fit.
        ConversionError: a file does not load or run.
    """
    reference, file = NETWORKS[name](baseline), NETWORKS[name](path)
    if set(reference.inputs) != set(file.inputs):
        raise _other_model(path, baseline)
    layers = align(reference, file)
    if all(layer.operator == INPUT for layer in layers):
        raise _other_model(path, baseline)
    beside = _Beside(reference, file, layers)
    samples = 0
    for wanted, size, feeds in _feeds(source, reference, count):
        beside.run(wanted, size, feeds)
        samples += wanted
    facts = {
        layer.name: Facts(layer, beside.seen[layer.name], compare_weights(layer, reference, file, beside.read(layer)))
        for layer in layers
        if beside.seen[layer.name].count
    }
    if all(each.layer.operator == INPUT for each in facts.values()):
        raise _other_model(path, baseline)
    why = reasons(facts)
    found = [_error(each, why[layer], own=not beside.note) for layer, each in facts.items()]
    return Compared(samples, tuple(sorted(found, key=_goodness)), beside.note)


def _other_model(path: Path, baseline: Path) -> ModelError:
    return ModelError(f"{path}: has nothing in common with {baseline}; name the float32 file of the same model")


def _feeds(source: Source, reference: Network, count: int) -> Iterator[tuple[int, int, Samples]]:
    """Batches as the float file takes them: how many samples count, how many there are, and these by public name."""
    specs = tuple(TensorSpec(source.prefix + edge.name, edge.name, edge.dtype, edge.shape) for edge in reference.edges)
    _, drawn = read_samples(DataSource(source=source.path, samples=count), Wanted(specs))
    for samples in drawn:
        for wanted, size, batch in batches(specs, samples, most=1):
            yield wanted, size, {spec.tensor: batch[spec.name] for spec in specs}


class _Beside:
    """Both files, side by side, and the file with its operators cut apart."""

    def __init__(self, reference: Network, file: Network, layers: Sequence[Pair]) -> None:
        self.seen = {layer.name: Tally(layer.storage) for layer in layers}
        self.note = ""
        self._reference, self._file, self._layers = reference, file, layers
        self._computed = [layer for layer in layers if layer.operator != INPUT]
        tensors = [layer.tensor for layer in self._computed]
        self._watch_reference = reference.watch([layer.name for layer in self._computed])
        self._watch_file = file.watch(tensors)
        self._watch_own = self._trying(lambda: file.watch(tensors, cut=True))

    def run(self, wanted: int, size: int, feeds: Samples) -> None:
        """Run a batch of `size` through all of them, and count what they answer to the `wanted` first."""
        expected = _values(self._reference, self._watch_reference, feeds)
        found = _values(self._file, self._watch_file, feeds)
        exact = {layer.tensor: expected[layer.name] for layer in self._computed}
        watch = self._watch_own
        own = None if watch is None else self._trying(lambda: _values(self._file, watch, feeds, exact))
        if own is None:
            self._watch_own, own = None, found
        for layer in self._layers:
            values = [expected[layer.name], *(self._kept(layer, side[layer.tensor]) for side in (found, own))]
            if len({array.shape for array in values}) == 1:  # another size is another thing
                self._count(layer, values, range(wanted) if values[0].shape[:1] == (size,) else None)

    def _count(self, layer: Pair, values: Sequence[Array], rows: range | None) -> None:
        """Count expected, found and own values: each of the `rows` is a sample, or all there is."""
        axis = self._reference.channel_axis(values[0].ndim)
        for part in [...] if rows is None else [slice(row, row + 1) for row in rows]:
            expected, found, own = (array[part] for array in values)
            self.seen[layer.name].add(expected, found, own, axis)

    def read(self, layer: Pair) -> Real | None:
        """The largest magnitude in each channel of what `layer` reads, where that is one tensor."""
        channels = self.seen[layer.reads[0]].channels if len(layer.reads) == 1 else None
        return None if channels is None else channels.peaks

    def _kept(self, layer: Pair, values: Array) -> Array:
        """`values` as they reach whatever reads them."""
        if layer.storage is None or (layer.tensor in self._file.quantized and layer.operator != INPUT):
            return values
        return layer.storage.dequantize(layer.storage.quantize(values))

    def _trying(self, act: Callable[[], Any]) -> Any:
        """What `act` gives; None where the file cut apart does not load or run, which loops may cause."""
        try:
            return act()
        except ConversionError as error:
            self.note = f"own errors are not known, and reasons come from whole errors: {error}"
            return None


def _values(network: Network, watch: Watch, feeds: Samples, more: Mapping[str, Array] | None = None) -> Values:
    """The inputs, and what is watched."""
    given = {tensor: feeds[public] for public, tensor in network.inputs.items()}
    return given | watch(given | dict(more or {}))


def _error(facts: Facts, why: tuple[Reason, ...], own: bool) -> LayerError:
    layer, seen = facts.layer, facts.seen
    return LayerError(
        name=layer.name,
        operator=layer.operator,
        precision=layer.precision,
        stored=layer.stored,
        sqnr=seen.sqnr,
        own_sqnr=seen.own_sqnr if own else None,
        cosine=seen.cosine,
        range_used=seen.range_used,
        saturation=seen.saturation,
        weights_sqnr=None if facts.weights is None else facts.weights.sqnr,
        settable=layer.settable,
        reasons=why,
    )


def _goodness(error: LayerError) -> tuple[float, float]:
    return (error.sqnr if error.own_sqnr is None else error.own_sqnr), error.sqnr
