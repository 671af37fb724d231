"""What `compare` found: plain data, as JSON has it, which every rendering reads and nothing else."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mobile_export.lint.survey import Survey
from mobile_export.published.manifest import ArtifactEntry, CheckEntry, Manifest, Number
from mobile_export.timing.result import Footprint, Timing

SCHEMA_VERSION = 1


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Layer(_Result):
    """How one layer differs from that of the float file, as `explain` has it."""

    name: str
    operator: str
    precision: str
    sqnr: Number = Field(description="dB, with all that went wrong before; infinite where both agree.")
    own_sqnr: Number | None = Field(description="dB, of exact inputs.")
    reasons: tuple[str, ...] = ()


class Candidate(_Result):
    """A format and precision that the target could ship."""

    name: str = Field(description="The artifact's, where the target has it; otherwise made of format and precision.")
    format: str
    precision: str
    interface: str
    in_target: bool = Field(description="Whether the target file names it.")
    entry: ArtifactEntry | None = Field(description="As a manifest has it: size, checks, search; None if refused.")
    refused: str = Field("", description="Why there is no file.")
    timings: tuple[Timing, ...] = ()
    unseen: tuple[str, ...] = Field(
        (), description="What could not be looked at or measured, and why: a sentence each."
    )
    footprint: Footprint | None = None
    surveys: tuple[Survey, ...] = ()
    layers: tuple[Layer, ...] = Field((), description="Worst first; of quantized files of formats that are explained.")
    pareto: bool = Field(False, description="Whether no other that passed is at least as good in all, and better.")

    @property
    def passed(self) -> bool:
        """Whether there is a file, and every limit holds."""
        return self.entry is not None and self.entry.passed

    def timing(self, threads: int = 1) -> Timing | None:
        """How long it takes to answer with that many threads, where that was measured."""
        return next((timing for timing in self.timings if timing.threads == threads), None)

    def check(self, name: str) -> CheckEntry | None:
        """What was measured under that name."""
        found = self.entry.checks if self.entry else ()
        return next((check for check in found if check.name == name), None)


class Node(_Result):
    """A node of a graph that is shown."""

    name: str
    operator: str
    shape: str = Field(description="Of its first result, such as [1, 28, 28, 8]; empty where it is unknown.")
    inputs: tuple[str, ...] = Field(description="Names of nodes, constants left out.")


class GraphSummary(_Result):
    """A graph, before or after the transforms."""

    title: str
    nodes: int
    weights: int = Field(description="Bytes.")
    operators: dict[str, int] = Field(description="How many nodes of each operator, most frequent first.")
    listing: tuple[Node, ...] = Field(description="In execution order.")


class Computer(_Result):
    """Where latency was measured: it ranks files, and promises nothing about a phone."""

    processor: str
    cores: int
    system: str
    runtimes: dict[str, str] = Field(description="Version by name.")


class Change(_Result):
    """What became of a file since a baseline."""

    artifact: str
    what: str = Field(description="bytes, zipped_bytes, precision, a check's name, the limit of one, or present.")
    before: str
    after: str
    verdict: Literal["better", "worse", "different"]


class Comparison(_Result):
    """One target's candidates, side by side."""

    schema_version: Literal[1] = 1
    target: str
    platform: str
    metric: str = Field(description="Which metric `accuracy` is; empty where the target has no evaluation data.")
    samples: int = Field(description="On which answers were compared or scored.")
    reference: CheckEntry | None = Field(description="The reference's own score, with its interval.")
    manifest: Manifest = Field(description="Of the candidates that have a file, as build would publish it.")
    candidates: tuple[Candidate, ...]
    graphs: tuple[GraphSummary, ...] = Field(description="Before the transforms, and after them.")
    computer: Computer
    baseline: str = Field("", description="What it is compared with, where anything.")
    changes: tuple[Change, ...] = ()
