"""Core ML, as ONNX Runtime uses it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mobile_export.lint import ort_checker
from mobile_export.lint.delegate import Coverage, Phone
from mobile_export.lint.survey import Evidence

MAX_RANK = 5
"""Dimensions of a tensor, in Core ML."""


@dataclass(frozen=True)
class CoreML:
    """ONNX Runtime's Core ML execution provider.

    Attributes:
        form: what it makes of a file: `NeuralNetwork`, its default, or `MLProgram`, for iOS 15 and later.
    """

    form: Literal["NeuralNetwork", "MLProgram"]

    formats: tuple[str, ...] = ("onnx", "ort")
    platforms: tuple[Phone, ...] = ("ios",)
    evidence: Evidence = "analyzed"

    @property
    def title(self) -> str:
        return f"ONNX Runtime Core ML ({self.form})"

    def survey(self, path: Path) -> Coverage:
        table = f"coreml_supported_{self.form.lower()}_ops.md"
        return ort_checker.survey(
            path,
            lambda checker, model, fixed_sizes: checker.check_coreml_partitions(model, fixed_sizes, table),
            MAX_RANK,
        )
