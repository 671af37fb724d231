"""How a file's numbers are stored and computed: one precision throughout, or one of its own for some layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Scheme:
    """A quantization scheme.

    Attributes:
        precision: of every layer that is not named.
        layers: name of a layer → its own precision, sorted by name. Formats say what their layers are called.
        per_channel: whether weights have a scale for each output channel, or one for the whole tensor.
        ranges: how an activation's range is taken from what calibration saw: `minmax`, `percentile` or `entropy`.
        weights: how a weight's range is chosen: `minmax`, or clipped for the least squared error, `mse`.
    """

    precision: str = "float32"
    layers: tuple[tuple[str, str], ...] = ()
    per_channel: bool = True
    ranges: str = "minmax"
    weights: str = "minmax"

    @classmethod
    def mixed(cls, precision: str, layers: Mapping[str, str], **choices: Any) -> "Scheme":
        """A scheme in which some layers differ; those that do not are left out."""
        own = sorted((name, other) for name, other in layers.items() if other != precision)
        return cls(precision, tuple(own), **choices)

    def of(self, layer: str) -> str:
        """The precision of one layer."""
        return dict(self.layers).get(layer, self.precision)

    @property
    def precisions(self) -> set[str]:
        """All that occur."""
        return {self.precision, *(precision for _, precision in self.layers)}
