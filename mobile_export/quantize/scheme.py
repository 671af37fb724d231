"""How a file's numbers are stored and computed: one precision throughout, or one of its own for some layers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mobile_export.errors import ConversionError, nearest

INTEGERS: dict[str, str] = {"int8": "int8", "int16x8": "int16"}
"""The precisions that compute in integers, from the coarsest on, and the element type of their activations."""

TAIL = 5e-5
"""Share of an activation's values that ranges of `percentile` cut off at either end. 99.99 % lie between, which is how
ONNX Runtime's calibration counts, too: what lies outside is halved."""


def integer_precision(dtype: str) -> str | None:
    """The precision whose activations are integers of `dtype`, with a sign or without; None where there is none."""
    return next((name for name, activations in INTEGERS.items() if dtype.removeprefix("u") == activations), None)


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

    def require(self, layers: Collection[str]) -> None:
        """Refuse a scheme for another model.

        Args:
            layers: those of the model.

        Raises:
            ConversionError: a layer that the scheme names is not among them.
        """
        unknown = next((name for name, _ in self.layers if name not in layers), None)
        if unknown is not None:
            raise ConversionError(f"the model has no layer {unknown!r}{nearest(unknown, layers)}; `explain` lists them")

    @property
    def precisions(self) -> set[str]:
        """All that occur."""
        return {self.precision, *(precision for _, precision in self.layers)}
