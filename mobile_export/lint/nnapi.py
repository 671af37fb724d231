"""NNAPI, Android's interface to accelerators, as ONNX Runtime uses it."""

from pathlib import Path

from mobile_export.lint import ort_checker
from mobile_export.lint.delegate import Coverage, Phone
from mobile_export.lint.survey import Evidence


class NNAPI:
    """ONNX Runtime's NNAPI execution provider. Android 15 has deprecated NNAPI; phones still have it."""

    title = "ONNX Runtime NNAPI"
    formats: tuple[str, ...] = ("onnx", "ort")
    platforms: tuple[Phone, ...] = ("android",)
    evidence: Evidence = "analyzed"

    def survey(self, path: Path) -> Coverage:
        return ort_checker.survey(
            path, lambda checker, model, fixed_sizes: checker.check_nnapi_partitions(model, fixed_sizes)
        )
