"""What people read of a search."""

from collections import Counter

from mobile_export.quantize.scheme import Scheme
from mobile_export.report.terminal import format_limit, format_value
from mobile_export.search.trail import Trail, Trial, rank
from mobile_export.target import Limits


def describe_scheme(scheme: Scheme, layers: int) -> str:
    """A scheme in words, such as `int8 with 2 of 9 layers at int16x8`.

    Args:
        layers: how many the model has.
    """
    counts = sorted(Counter(precision for _, precision in scheme.layers).items())
    parts = [f"{count} at {precision}" for precision, count in counts]
    if parts:
        parts[0] = parts[0].replace(" at ", f" of {layers} layer{'s' if layers > 1 else ''} at ")
    choices = [
        *([] if scheme.per_channel else ["one scale a tensor"]),
        *([] if scheme.ranges == "minmax" else [f"ranges by {scheme.ranges}"]),
        *([] if scheme.weights == "minmax" else [f"weights by {scheme.weights}"]),
    ]
    mixed = f"{scheme.precision} with {' and '.join(parts)}" if parts else scheme.precision
    return ", ".join([mixed, *choices])


def conclusion(trail: Trail, chosen: Trial, layers: int, limits: Limits) -> str:
    """One sentence: what was chosen, and why."""
    name = describe_scheme(chosen.scheme, layers)
    candidates = sum(trial.proposal.kind == "candidate" for trial in trail.trials)
    of = f"of {candidates} file{'s' if candidates > 1 else ''} tried"
    if chosen.passed:
        asked = [
            f"{r.name} {format_limit(r)}" for r in chosen.outcome.readings if getattr(limits, r.name, None) is not None
        ]
        said = (
            f"{name}: the smallest {of} that holds {', '.join(asked) or 'all limits'}{_beside(trail, chosen, layers)}"
        )
    else:
        said = f"{name}: no file holds all limits; {of}, this one comes nearest ({_missed(chosen)})"
    return f"{said}; the search ended after {trail.ended}, before it was done" if trail.ended else said


def _beside(trail: Trail, chosen: Trial, layers: int) -> str:
    """What is wrong with the smaller file that one would have taken: that of the same precision throughout, or so."""
    missed = [t for t in trail.trials if t.proposal.why == "uniform" and t.outcome.missed and t.size < chosen.size]
    missed.sort(key=lambda trial: (trial.scheme.precision != chosen.scheme.precision, rank(trial)))
    if not missed:
        return ""
    alone = " alone" if chosen.scheme.layers else ""
    return f"; {describe_scheme(missed[0].scheme, layers)}{alone} does not: {_missed(missed[0])}"


def _missed(trial: Trial) -> str:
    return ", ".join(f"{r.name} is {format_value(r.value, r.unit)}" for r in trial.outcome.missed) or trial.outcome.note
