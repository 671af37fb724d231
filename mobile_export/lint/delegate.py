"""What all delegates have in common."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from mobile_export.lint.survey import Evidence, Finding

Phone = Literal["android", "ios"]
Platform = Literal["android", "ios", "any"]


@dataclass(frozen=True)
class Coverage:
    """A file, as a delegate sees it; the attributes are those of `Survey`."""

    source: str
    operators: int
    findings: tuple[Finding, ...]
    partitions: int | None = None
    note: str = ""


class Delegate(Protocol):
    """A fast path of a phone: an accelerator that takes some of a file's operators, and leaves the rest to the CPU.

    Attributes:
        title: what people call it.
        formats: names in `FORMATS`.
        platforms: where there is one.
        evidence: how it is known what the delegate takes.
    """

    @property
    def title(self) -> str: ...

    @property
    def formats(self) -> tuple[str, ...]: ...

    @property
    def platforms(self) -> tuple[Phone, ...]: ...

    @property
    def evidence(self) -> Evidence: ...

    def survey(self, path: Path) -> Coverage:
        """Look at a file, in a worker: the file is untrusted, and what reads it may abort.

        Raises:
            ConversionError: its runtime does not load it.
            ModelError: it holds no graph.
        """
        ...
