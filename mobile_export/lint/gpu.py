"""The GPU delegate of LiteRT's interpreter: OpenCL or OpenGL on Android, Metal on iOS.

No checker of it can be asked. TensorFlow's analyzer has lost this check, and calls every file compatible
(https://github.com/tensorflow/tensorflow/issues/77042; `tests/lint/test_gpu.py` says when it is back). So the
conditions that the delegate's own sources set are held against each operator.
"""

from collections import defaultdict
from pathlib import Path

from mobile_export.lint.delegate import Coverage, Phone
from mobile_export.lint.gpu_conditions import why
from mobile_export.lint.survey import Evidence, Finding
from mobile_export.lint.tflite_operators import Operator, findings_of, operators_of

SOURCE = "conditions in LiteRT's GPU delegate (github.com/google-ai-edge/LiteRT at 007226f498a6), read 2026-11-22"


class GPU:
    """What the delegate leaves to the CPU by its own conditions; a phone's driver may have further ones."""

    title = "LiteRT GPU delegate"
    formats: tuple[str, ...] = ("tflite",)
    platforms: tuple[Phone, ...] = ("android", "ios")
    evidence: Evidence = "listed"

    def survey(self, path: Path) -> Coverage:
        operators = operators_of(path)
        readers: dict[str, list[Operator]] = defaultdict(list)
        for operator in operators:
            for tensor in operator.inputs:
                readers[tensor.name].append(operator)
        findings = findings_of(operators, lambda operator: why(operator, readers))
        return Coverage(SOURCE, len(operators), findings, note=_note(operators, findings))


def _note(operators: tuple[Operator, ...], findings: tuple[Finding, ...]) -> str:
    said = []
    if any(tensor.type in ("int8", "uint8") for each in operators for tensor in each.outputs):
        said.append("integers are computed as 16-bit floats there, so int8 is no faster than float16")
    if any(tensor.type == "int4" for each in operators for tensor in each.inputs):
        said.append("only newer versions of it read constants of 4 bits")
    if any(tensor.dynamic for each in operators for tensor in each.outputs):
        said.append("it refuses files with tensors whose size shows only while they run")
    if findings:
        said.append("by default it takes only the largest piece between operators that are left")
    return "; ".join(said)
