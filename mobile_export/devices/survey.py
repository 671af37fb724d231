"""What there is of emulated arm64 cores on this computer: parts of the set-up, and cores that it computes right as."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mobile_export.devices.cores import CORES
from mobile_export.devices.emulator import REMEDY, has_passed, wrong_answers_as
from mobile_export.devices.installation import Busy, Done, Installation, State, installed, is_native, states
from mobile_export.errors import MissingToolError


@dataclass(frozen=True)
class Answer:
    """What the self-test says of a core: `problem` is None where all answers are right."""

    core: str
    problem: str | None


@dataclass(frozen=True)
class Survey:
    """What there is.

    Attributes:
        native: this computer is an ARM computer, and needs nothing.
        problem: why nothing can be run; None where it can.
        parts: of the set-up, whether or not it is whole; none on an ARM computer.
        cores: every one that a target may name, where the set-up is whole.
    """

    native: bool = False
    problem: str | None = None
    parts: Sequence[State] = ()
    cores: Sequence[Answer] = ()

    @property
    def bytes(self) -> int:
        """Of the set-up."""
        return sum(part.bytes for part in self.parts)

    @property
    def usable(self) -> tuple[str, ...]:
        """The cores that can be named."""
        return tuple(answer.core for answer in self.cores if answer.problem is None)


def survey(*, test: bool) -> Survey:
    """Look at every byte of the set-up; with `test`, cores that have not passed their self-test are tested."""
    if is_native():
        return Survey(native=True)
    parts = states(thorough=True)
    try:
        found = installed(thorough=True)
    except MissingToolError as error:
        return Survey(problem=str(error), parts=parts)
    return Survey(parts=parts, cores=answers(found) if test else [_known(found, core) for core in CORES])


def answers(installation: Installation, busy: Busy = bool, done: Done = lambda *_: None) -> list[Answer]:
    """The self-test of every core; one that was passed with the same files is not repeated."""
    return [_answer(installation, core, busy, done) for core in CORES]


def _known(installation: Installation, core: str) -> Answer:
    passed = has_passed(installation, CORES[core])
    return Answer(core, None if passed else "has not passed its self-test")


def _answer(installation: Installation, core: str, busy: Busy, done: Done) -> Answer:
    busy([f"self-test of {core}"])
    begun = time.monotonic()
    try:
        wrong = wrong_answers_as(installation, CORES[core])
    except MissingToolError as error:
        return Answer(core, str(error).removesuffix(f"; {REMEDY}"))
    done(f"self-test of {core}", time.monotonic() - begun)
    return Answer(core, f"wrong answers: {'; '.join(wrong)}" if wrong else None)
