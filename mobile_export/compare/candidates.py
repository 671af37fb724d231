"""Which files are compared: the target's own, and every other format and precision that it could ship."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from mobile_export.errors import TargetError, nearest
from mobile_export.formats import FORMATS, QUANTIZABLE
from mobile_export.formats.runtimes import RUNTIMES
from mobile_export.metrics import make_metric
from mobile_export.planning.plan import scheme_of
from mobile_export.target import AUTO, RUN_BY_KERNELS, Artifact, Limits, Target

_SERVED = ("saved_model",)
"""Formats that servers load, and phones do not."""

_ACCURACY = ("accuracy", "accuracy_drop", "confidence", "top1_agreement")
"""Limits that say how good answers have to be, whatever file gives them; all others speak of one file."""

ALLOWED = ("allow_float_operators", "allow_select_tf_ops", "allow_unchecked")
"""What a target that allows it in one file of a format would allow in another."""


@dataclass(frozen=True)
class Option:
    """A file that could be shipped.

    Attributes:
        artifact: as the target has it, or would have it.
        in_target: whether the target file names it.
        impossible: why it cannot be made here; empty where it can be tried.
    """

    artifact: Artifact
    in_target: bool
    impossible: str = ""


def candidates_of(target: Target, named: Sequence[str] = ()) -> tuple[Option, ...]:
    """The target's artifacts, then every other pair of format and precision.

    A pair that the target has, with whatever interface or layers, is not added again. `auto` is where the target has
    it, or `named` does; so are the formats of servers in a target for phones.

    Args:
        named: those that are wanted alone: names of artifacts, formats, precisions, or format:precision.

    Raises:
        TargetError: one of them is not known.
    """
    own = [Option(artifact, in_target=True) for artifact in target.artifacts]
    every = [*own, *(_option(target, *pair) for pair in _other_pairs(target))]
    if not named:
        return tuple(o for o in every if o.in_target or not _is_left_out(target, o.artifact))
    wanted = [text.strip() for text in named]
    for text in wanted:
        _require_known(text, [option.artifact for option in every])
    return tuple(option for option in every if any(_is_meant(text, option.artifact) for text in wanted))


def _other_pairs(target: Target) -> Iterator[tuple[str, str]]:
    have = {(artifact.format, artifact.precision) for artifact in target.artifacts}
    for name, unit in FORMATS.items():
        for precision in (*unit.precisions, *((AUTO,) if name in QUANTIZABLE else ())):
            if (name, precision) not in have:
                yield name, precision


def _is_left_out(target: Target, artifact: Artifact) -> bool:
    return artifact.precision == AUTO or (target.platform != "any" and artifact.format in _SERVED)


def _is_meant(text: str, artifact: Artifact) -> bool:
    if text == artifact.format:
        return artifact.precision != AUTO
    return text in (artifact.name, artifact.precision, f"{artifact.format}:{artifact.precision}")


def _require_known(text: str, artifacts: Collection[Artifact]) -> None:
    names = [artifact.name for artifact in artifacts]
    precisions = list(dict.fromkeys(artifact.precision for artifact in artifacts))
    pairs = [f"{artifact.format}:{artifact.precision}" for artifact in artifacts]
    if text not in {*names, *FORMATS, *precisions, *pairs}:
        formats = ", ".join(FORMATS)
        raise TargetError(
            f"--candidates: {text!r} is not known{nearest(text, {*names, *pairs})}; write a format ({formats}), a "
            f"precision ({', '.join(precisions)}), both as format:precision, or the name of an artifact"
        )


def _option(target: Target, format_name: str, precision: str) -> Option:
    """A file of the default interface, held to what the target asks of its own."""
    same_format = [artifact for artifact in target.artifacts if artifact.format == format_name]
    allowed: dict[str, Any] = {key: True for key in ALLOWED if any(getattr(artifact, key) for artifact in same_format)}
    phones = [a.kernels for a in target.artifacts if a.kernels is not None] if format_name in RUN_BY_KERNELS else []
    artifact = Artifact(
        name=_free_name(f"{format_name}_{precision}", target),
        format=format_name,
        precision=precision,
        limits=_limits(target),
        kernels=phones[0] if phones else None,
        **allowed,
    )
    return Option(artifact, in_target=False, impossible=_impossible(target, artifact))


def _free_name(name: str, target: Target) -> str:
    taken = {artifact.name for artifact in target.artifacts}
    free, k = name, 1
    while free in taken:
        k += 1
        free = f"{name}_{k}"
    return free


def _limits(target: Target) -> Limits:
    """The loosest that the target asks of any file whose accuracy it limits: what one may be, others may be.

    A limit that one of these files does not have, no other file is held to. Sizes, latencies and differences to the
    reference are asked of a file because of what it is, and not of others.
    """
    metric_kept = _ACCURACY if target.data.evaluation is not None else ("top1_agreement",)
    judged = [a.limits for a in target.artifacts if any(getattr(a.limits, key) is not None for key in _ACCURACY)]
    asked = {key: [getattr(limits, key) for limits in judged] for key in metric_kept}
    loosest: dict[str, Any] = {
        key: _loosest(target, key, values) for key, values in asked.items() if values and None not in values
    }
    return Limits(**loosest)


def _loosest(target: Target, key: str, values: Sequence[float]) -> float:
    least = key != "accuracy_drop" and not (key == "accuracy" and not _higher_is_better(target))
    return min(values) if least else max(values)


def _higher_is_better(target: Target) -> bool:
    evaluation = target.data.evaluation
    return evaluation is None or make_metric(evaluation.metric).higher_is_better


def _impossible(target: Target, artifact: Artifact) -> str:
    unit = FORMATS[artifact.format]
    packages = sorted({*unit.tools, RUNTIMES[unit.runtime].package})
    missing = [package for package in packages if find_spec(package.replace("-", "_")) is None]
    if missing:
        return f'{", ".join(missing)} missing; run: pip install "mobile-export[convert]"'
    calibrated = scheme_of(artifact).precisions & set(FORMATS[artifact.format].calibrated)
    if calibrated and target.data.calibration is None:
        return f"{min(calibrated)} needs calibration data; add [data] calibration"
    return ""
