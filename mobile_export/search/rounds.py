"""Running a strategy: its rounds are evaluated one after the other until it is done, or its time or number is up."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mobile_export.search.strategy import Steps
from mobile_export.search.trail import Outcome, Proposal, Trail, Trial


class Evaluate(Protocol):
    """Tries files."""

    def __call__(self, proposals: Sequence[Proposal], bound: int | None, deadline: float) -> list[Outcome | None]:
        """What came of each; None where it was not begun.

        Args:
            bound: bytes of the smallest file that passes so far; one as large need not be run.
            deadline: in `time.monotonic`; afterwards nothing is begun.
        """
        ...


@dataclass(frozen=True)
class Budget:
    """How much may be tried."""

    seconds: float
    candidates: int


def run_rounds(steps: Steps[None], evaluate: Evaluate, budget: Budget) -> Trail:
    """Run a strategy to its end, or to that of the budget."""
    deadline = time.monotonic() + budget.seconds
    trials: dict[Proposal, Trial] = {}
    ended = ""
    try:
        proposals = next(steps)
        while not ended:
            new = [proposal for proposal in dict.fromkeys(proposals) if proposal not in trials]
            left = budget.candidates - sum(proposal.kind != "size" for proposal in trials)
            affordable = [p for index, p in enumerate(new) if index < left or p.kind == "size"]
            best = Trail(_told(trials)).best
            outcomes = evaluate(affordable, best.size if best else None, deadline) if affordable else []
            found = {p: Trial(p, o) for p, o in zip(affordable, outcomes, strict=True) if o is not None}
            trials |= found
            if len(found) < len(new):
                ended = f"{budget.candidates} files" if len(found) == len(affordable) else f"{budget.seconds:g} s"
            else:
                proposals = steps.send([trials[proposal] for proposal in proposals])
    except StopIteration:
        pass
    finally:
        steps.close()
    return Trail(_told(trials), ended)


def _told(trials: Mapping[Proposal, Trial]) -> tuple[Trial, ...]:
    """What was tried, and what cannot be made; files whose bytes were counted are neither."""
    return tuple(trial for trial in trials.values() if trial.outcome.verdict != "counted")
