"""What a fast path of a phone would not take of a file: plain data, as JSON has it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Evidence = Literal["measured", "analyzed", "listed"]
"""`measured`: the delegate itself ran here; `analyzed`: its own checker said so; `listed`: a dated table of ours."""


class Finding(BaseModel):
    """An operator that a delegate leaves to the plain CPU kernels, or that it refuses the file for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    node: str = Field(description="The tensor that it writes first, or its own name, as the format calls it.")
    operator: str = Field(description="Its kind, as the format calls it, such as CONV_2D or Conv.")
    why: str = Field(description="In a few words, such as: dynamic shape.")


class Survey(BaseModel):
    """One file, as one delegate sees it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delegate: str = Field(description="Key of the delegate, such as xnnpack.")
    title: str = Field(description="What people call it, such as LiteRT GPU delegate.")
    evidence: Evidence
    source: str = Field(description="What said so, with its version, or date and address.")
    operators: int = Field(ge=0, description="Of the whole file, where the delegate would run it.")
    findings: tuple[Finding, ...]
    partitions: int | None = Field(None, description="Pieces that the delegate would run, where that is known.")
    note: str = ""

    @property
    def advisory(self) -> bool:
        """Whether it is a table's word alone."""
        return self.evidence == "listed"
