"""Data that is normalized as in training, by what batch norms saw there."""

from collections.abc import Iterator, Sequence

from mobile_export.data_checks.evidence import STORE, Evidence, Issue, NormFit
from mobile_export.data_checks.fits import FITTING, UNFIT

FOREIGN = 1.5
"""Distance from what a batch norm saw in training that no sound data has, however different the scenes are."""
_BETTER = 3.0
"""How many times nearer another reading must be to be the one that was meant."""


def normalization(evidence: Evidence) -> Iterator[Issue]:
    """The worst fit of each input counts; sets that are wrong in the same way are named together."""
    for each in evidence.inputs:
        fits = [fit for fit in evidence.fits if fit.input == each]
        worst = [max((f for f in fits if f.key == key), key=lambda f: f.distance) for key in {f.key: 0 for f in fits}]
        unfit = [fit for fit in worst if fit.distance > UNFIT]
        if unfit and len({_meant(fit) for fit in unfit}) == 1:
            yield _issue(unfit, of_all=len(unfit) == len(worst))
        else:
            yield from (_issue([fit], of_all=False) for fit in unfit)


def _meant(fit: NormFit) -> str | None:
    """The words of the reading that explains the distance."""
    if not fit.others:
        return None
    reading, distance = min(fit.others, key=lambda other: other[1])
    return reading.words if distance < FITTING and distance * _BETTER < fit.distance else None


def _issue(fits: Sequence[NormFit], of_all: bool) -> Issue:
    """About sets that one reading explains, or none.

    Args:
        of_all: whether no other set is right as it is, so that the target may be wrong, and not a file.
    """
    fit = fits[0]
    what = (
        f"{' and '.join(each.key for each in fits)}: {fit.input.name!r} is not normalized as in training: its distance "
        f"from what the batch norm {fit.norm!r} saw there is {fit.distance:.2f}, and that of sound data below {FITTING}"
    )
    for reading, distance in fit.others:
        if reading.words == _meant(fit):
            advice = fit.input.advice(reading) if of_all else STORE
            return Issue("error", f"{what}, and {distance:.2f} after {reading.words}; {advice}")
    return Issue(
        "error" if fit.distance > FOREIGN else "warning",
        f"{what}, and no usual mistake explains it; bring data like that of training, normalized in the same way",
    )
