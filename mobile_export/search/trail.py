"""What a search tried, and what came of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from mobile_export.quantize.scheme import Scheme

Why = Literal["uniform", "choices", "sensitivity", "bisection", "refinement"]
Kind = Literal["candidate", "probe", "size"]
Verdict = Literal["passed", "missed", "larger", "refused", "counted"]

ANSWERS = frozenset({"accuracy", "parity"})
"""The checks that look at what a file answers; more precise layers help with these and with no others."""


@dataclass(frozen=True)
class Proposal:
    """A file to try; the same one whatever it is tried for.

    Attributes:
        why: the step of the search that asks for it first.
        kind: of a `probe` the answers are compared with the reference's, whatever its size; of a `size` only the bytes
            are counted. Neither is a candidate.
    """

    scheme: Scheme
    why: Why = field(compare=False)
    kind: Kind = "candidate"

    @property
    def probe(self) -> bool:
        """Whether it is tried for what it tells of others."""
        return self.kind == "probe"


@dataclass(frozen=True)
class Reading:
    """One measured number against its limit, as `checks.Measurement` has it, and the check that measured it."""

    check: str
    name: str
    value: float
    limit: float | None
    at_least: bool
    passed: bool
    note: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of a file.

    Attributes:
        verdict: `larger` than a file may be, and so not run; `refused` by the quantizer or the runtime; `counted` where
            nothing but its bytes was asked for.
        size: bytes; None where there is no file.
        readings: every number that has a limit, and `sqnr`.
        note: why it was refused.
    """

    verdict: Verdict
    size: int | None = None
    readings: tuple[Reading, ...] = ()
    note: str = ""

    @property
    def missed(self) -> tuple[Reading, ...]:
        """The limits that do not hold."""
        return tuple(reading for reading in self.readings if not reading.passed)

    @property
    def unfaithful(self) -> bool:
        """Whether its answers are known not to be good enough."""
        return any(reading.check in ANSWERS for reading in self.missed)

    @property
    def repairable(self) -> bool:
        """Whether nothing but its answers stands against it."""
        return self.verdict == "missed" and all(reading.check in ANSWERS for reading in self.missed)

    @property
    def quality(self) -> float:
        """Signal to noise of its answers, dB; minus infinity where that is not known."""
        found = [reading.value for reading in self.readings if reading.name == "sqnr"]
        return found[0] if found and found[0] == found[0] else float("-inf")  # a NaN is not itself


@dataclass(frozen=True)
class Trial:
    """A file that was tried."""

    proposal: Proposal
    outcome: Outcome

    @property
    def scheme(self) -> Scheme:
        """How its numbers are stored and computed."""
        return self.proposal.scheme

    @property
    def size(self) -> int:
        """Bytes of a file that exists."""
        return self.outcome.size or 0

    @property
    def passed(self) -> bool:
        """Whether it is a candidate that holds all limits."""
        return self.outcome.verdict == "passed" and self.proposal.kind == "candidate"


@dataclass(frozen=True)
class Trail:
    """All that a search did.

    Attributes:
        trials: in the order in which they were asked for.
        ended: what ended the search before it was done, such as `300 s`; empty where nothing did.
    """

    trials: tuple[Trial, ...]
    ended: str = ""

    @property
    def best(self) -> Trial | None:
        """The smallest file that holds all limits."""
        return smallest(self.trials)

    @property
    def nearest(self) -> Trial | None:
        """Where none does: the one that misses the fewest limits, and of these the one that misses them the least."""
        candidates = [trial for trial in self.trials if trial.proposal.kind == "candidate"]
        missed = [trial for trial in candidates if trial.outcome.verdict == "missed"]
        return min(missed, key=_distance, default=None)


def smallest(trials: Sequence[Trial | None]) -> Trial | None:
    """The smallest candidate that passed, the first by name of several."""
    return min((trial for trial in trials if trial is not None and trial.passed), key=rank, default=None)


def rank(trial: Trial) -> tuple[int, str]:
    """Sorts trials by size, and by name where that is the same."""
    return trial.size, repr(trial.scheme)


def _distance(trial: Trial) -> tuple[int, float, float, tuple[int, str]]:
    return len(trial.outcome.missed), shortfall(trial.outcome), -trial.outcome.quality, rank(trial)


def shortfall(outcome: Outcome) -> float:
    """The most by which a limit is missed, as a fraction of it."""
    return max((_missing(reading) for reading in outcome.missed), default=0.0)


def _missing(reading: Reading) -> float:
    if reading.limit is None or not math.isfinite(reading.value - reading.limit):
        return math.inf
    return abs(reading.value - reading.limit) / max(abs(reading.limit), 1e-9)
