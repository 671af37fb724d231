"""The usual mistakes with numbers: other ways to read the same samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobile_export.data.preprocess import CHANNELS, preprocess
from mobile_export.graphs.tensors import Array
from mobile_export.target import Preprocessing

_NONE = Preprocessing()
_KEYS = ("scale", "mean", "std", "channel_order")
"""Of preprocessing, those that change values."""


@dataclass(frozen=True)
class Reading:
    """Samples as they came, taken for something else.

    Attributes:
        words: what is done to them, for people.
        change: the same in the target's terms, on top of what the target says already.
        coloured: whether only colour images are mistaken so.
    """

    words: str
    change: Preprocessing
    coloured: bool = False

    def apply(self, values: Array) -> Array:
        """`values` read that way; what is then too large is infinite."""
        with np.errstate(over="ignore"):
            return preprocess(values, self.change, values.dtype.name)

    def advice(self, current: Preprocessing, place: str) -> str:
        """What to write in the target, where `current` is what stands at the key `place` now."""
        wanted = _combined(current, self.change)
        if not _said(wanted):
            return f"remove {' and '.join(_said(current))} from {place}"
        said = ", ".join(f"{key} = {_written(getattr(wanted, key))}" for key in _said(wanted))
        also = f"; remove {' and '.join(gone)} there" if (gone := _said(current).keys() - _said(wanted).keys()) else ""
        return f"{'' if _said(current) else 'store the samples so, or '}set {said} in {place}{also}"


def _combined(first: Preprocessing, second: Preprocessing) -> Preprocessing:
    """First one, then the other: ((x·s₁ − m₁) / d₁ · s₂ − m₂) / d₂ = (x·s₁s₂ − (m₁s₂ + m₂d₁)) / (d₁d₂)."""
    channels = max(map(len, (first.mean, first.std, second.mean, second.std)))
    m1, d1, m2, d2 = (v * channels if len(v) == 1 else v for v in (first.mean, first.std, second.mean, second.std))
    backwards = second.channel_order == "bgr"
    if backwards:
        m1, d1 = m1[::-1], d1[::-1]
    scale = first.scale * second.scale
    mean = [a * second.scale + b * d for a, b, d in zip(m1, m2, d1, strict=True)]
    std = [_rounded(a * b) for a, b in zip(d1, d2, strict=True)]
    if len(set(std)) == 1:
        scale, mean, std = scale / std[0], [m / std[0] for m in mean], [1.0]
    mean = [_rounded(m) for m in mean]
    return Preprocessing(
        scale=_rounded(scale),
        mean=tuple(mean if len(set(mean)) > 1 else mean[:1]),
        std=tuple(std),
        channel_order="rgb" if (first.channel_order == "bgr") == backwards else "bgr",
    )


def _rounded(number: float) -> float:
    """To the digits that people write, and to the whole number that it was before it was calculated with."""
    if abs(number) < 1e-9:
        return 0.0
    whole = round(number)
    return float(whole) if abs(number - whole) <= 2e-5 * abs(number) else float(f"{number:.9g}")


_IMAGENET = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""Mean and deviation of ImageNet's images in RGB, from 0 to 1: what many networks were trained with."""
_WITHOUT_IMAGENET = Preprocessing(
    mean=tuple(-m / s for m, s in zip(_IMAGENET.mean, _IMAGENET.std, strict=True)),
    std=tuple(1 / s for s in _IMAGENET.std),
)
_TO_BYTES, _FROM_BYTES, _FROM_HALF = (Preprocessing(scale=factor) for factor in (255, 1 / 255, 1 / 127.5))
REVERSED = Reading("reversing its channels", Preprocessing(channel_order="bgr"), coloured=True)
"""Red taken for blue."""

_MISTAKES: dict[str, tuple[Reading, ...]] = {
    "tiny": (Reading("× 255", _TO_BYTES), Reading("× 65025", Preprocessing(scale=255 * 255))),
    "unit": (
        Reading("× 255", _TO_BYTES),
        Reading("× 2 − 1", Preprocessing(scale=2, mean=(1.0,))),
        Reading("× 255 − 127.5", Preprocessing(scale=255, mean=(127.5,))),
        Reading("less ImageNet's mean, ÷ its deviation", _IMAGENET, coloured=True),
    ),
    "bytes": (
        Reading("÷ 255", _FROM_BYTES),
        Reading("÷ 127.5 − 1", _combined(_FROM_HALF, Preprocessing(mean=(1.0,)))),
        Reading("− 127.5", Preprocessing(mean=(127.5,))),
        Reading("÷ 255, less ImageNet's mean, ÷ its deviation", _combined(_FROM_BYTES, _IMAGENET), coloured=True),
        Reading(
            "reversing its channels, less ImageNet's mean",
            Preprocessing(mean=(103.939, 116.779, 123.68), channel_order="bgr"),
            coloured=True,
        ),
    ),
    "signed": (
        Reading("(x + 1) ÷ 2", Preprocessing(scale=0.5, mean=(-0.5,))),
        Reading("(x + 1) × 127.5", Preprocessing(scale=127.5, mean=(-127.5,))),
        Reading("× 127.5", Preprocessing(scale=127.5)),
        Reading("× 32768", Preprocessing(scale=32768)),
    ),
    "standardized": (
        Reading("undoing ImageNet's mean and deviation", _WITHOUT_IMAGENET, coloured=True),
        Reading("undoing ImageNet's mean and deviation, × 255", _combined(_WITHOUT_IMAGENET, _TO_BYTES), coloured=True),
    ),
    "centred": (
        Reading("÷ 255", _FROM_BYTES),
        Reading("÷ 127.5", _FROM_HALF),
        Reading("+ 127.5", Preprocessing(mean=(-127.5,))),
    ),
    "sound": (Reading("÷ 32768", Preprocessing(scale=1 / 32768)),),
    "other": (),
}
"""What samples may have been meant to be, by the values that they have."""


def usual_readings(low: float, high: float, shape: Sequence[int]) -> list[Reading]:
    """What samples of `shape` between `low` and `high` may have been meant to be."""
    coloured = len(shape) == CHANNELS and shape[-1] == CHANNELS
    return [reading for reading in (*_MISTAKES[_kind(low, high)], REVERSED) if coloured or not reading.coloured]


def possible_readings(samples: Array) -> list[Reading]:
    """The same of what samples are; integers are only taken for BGR, since nothing else happens to them."""
    if samples.dtype.kind in "iu":
        return [REVERSED] if samples.ndim == CHANNELS + 1 and samples.shape[-1] == CHANNELS else []
    if samples.dtype.kind != "f" or samples[0].size == 1:
        return []
    low, high = float(samples.min()), float(samples.max())
    return usual_readings(low, high, samples.shape[1:]) if low < high else []  # a state that is always 0, say


def _kind(low: float, high: float) -> str:
    if low >= 0:
        return next((kind for kind, most in (("tiny", 1 / 16), ("unit", 1), ("bytes", 255)) if high <= most), "other")
    kinds = (("signed", 1), ("standardized", 4), ("centred", 255), ("sound", 32768))
    return next((kind for kind, most in kinds if max(-low, high) <= most), "other")


def _said(how: Preprocessing) -> dict[str, object]:
    """What a target has to say to ask for it."""
    return {key: getattr(how, key) for key in _KEYS if getattr(how, key) != getattr(_NONE, key)}


def _written(value: float | str | tuple[float, ...]) -> str:
    if isinstance(value, tuple):
        return _written(value[0]) if len(value) == 1 else f"[{', '.join(map(_written, value))}]"
    return f'"{value}"' if isinstance(value, str) else f"{value:.9g}"
