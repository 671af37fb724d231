"""Preprocessing: whether the app may go on with the values that it feeds."""

import math
from collections.abc import Iterator, Sequence

from mobile_export.diff.change import Change, breaking, compatible
from mobile_export.published.manifest import Manifest, PreprocessingEntry

_NONE = PreprocessingEntry(scale=1.0, mean=(0.0,), std=(1.0,), channel_order="rgb", folded=False)


def preprocessing_changes(old: Manifest, new: Manifest, wrapped: bool) -> Iterator[Change]:
    """Differences of each input that both have.

    `scale` is what makes raw values what mean and std are taken of, so another scale means that raw values are in other
    units, and an app's pixels would be taken for others, silently. Another mean, std or order of channels is training's
    affair: whoever does the preprocessing, class or file, does it for the same raw values.
    """
    inputs = {edge.name for entry in new.artifacts for edge in entry.inputs}
    for name in sorted((old.preprocessing.keys() | new.preprocessing.keys()) & inputs):
        before, after = old.preprocessing.get(name), new.preprocessing.get(name)
        of = f"preprocessing of {name}"
        if _same_map(before, after) and (before or _NONE).folded == (after or _NONE).folded:
            continue
        if before is None or after is None:
            yield breaking(
                of, "is gone: the app feeds preprocessed values" if before else "is new: the app feeds raw values"
            )
        elif before.scale != after.scale and not _same_map(before, after):
            yield breaking(of, f"scale {before.scale:g} → {after.scale:g}: raw values are in other units")
        elif wrapped or (before.folded and after.folded):
            yield compatible(of, f"{_formula(before)} → {_formula(after)}: the app feeds the same raw values")
        else:
            yield breaking(of, f"{_formula(before)} → {_formula(after)}: the app does it, without a generated class")


def _same_map(one: PreprocessingEntry | None, other: PreprocessingEntry | None) -> bool:
    """Whether both make the same of a raw value: (raw * s - m) / d, channel by channel."""
    a, b = one or _NONE, other or _NONE
    channels = range(max(map(len, (a.mean, a.std, b.mean, b.std))))
    return a.channel_order == b.channel_order and all(
        _close(a.scale * _of(b.std, k), b.scale * _of(a.std, k))
        and _close(_of(a.mean, k) * _of(b.std, k), _of(b.mean, k) * _of(a.std, k))
        for k in channels
    )


def _of(values: Sequence[float], channel: int) -> float:
    """One value stands for all channels."""
    return values[channel % len(values)] if values else math.nan


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12)


def _formula(how: PreprocessingEntry) -> str:
    where = ", by the file" if how.folded else ""
    return f"(raw × {how.scale:g} - {_numbers(how.mean)}) / {_numbers(how.std)}, {how.channel_order}{where}"


def _numbers(values: Sequence[float]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"[{', '.join(f'{value:g}' for value in values)}]"
