"""What is measured of a file: how long it takes to answer, and what its first answer costs a fresh process."""

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True)
class File:
    """A written file, and the format of `FORMATS` that opens it."""

    format: str
    path: Path


class Timing(BaseModel):
    """How long an answer takes on this computer, warm; candidates answered by turns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threads: int = Field(ge=1)
    median: float = Field(description="Seconds.")
    interval: tuple[float, float] = Field(
        description="Seconds: 95 % of the median, from the order of the rounds' times."
    )
    p90: float = Field(description="Seconds: nine answers of ten are faster.")
    answers: int = Field(description="How many were timed.")


class Footprint(BaseModel):
    """What a fresh process, which had imported the runtime and nothing else, needed until its first answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_answer: float = Field(description="Seconds to load the file and answer once; median of the processes.")
    resident: int = Field(description="Bytes of memory more than before, pages of mapped files included.")
    anonymous: int = Field(description="Bytes of it that no file backs, which the system cannot drop under pressure.")
    processes: int = Field(description="How many were started.")


@dataclass(frozen=True)
class Cost:
    """Of a file's first answer in one process: seconds since before it was loaded, and bytes more than then."""

    seconds: float
    resident: int
    anonymous: int


@dataclass(frozen=True)
class Loads:
    """What came of loading files in fresh processes.

    Attributes:
        footprints: by name.
        failed: why a file has none, by name.
    """

    footprints: dict[str, Footprint] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Turns:
    """What came of timing files by turns.

    Attributes:
        timings: by name.
        untimed: why a file could not be timed, by name.
    """

    timings: dict[str, Timing] = field(default_factory=dict)
    untimed: dict[str, str] = field(default_factory=dict)
