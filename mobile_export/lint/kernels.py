"""The kernels of TensorFlow Mobile, which runs graphs on phones: without one of them it does not load the file."""

from pathlib import Path

from mobile_export.kernels.files import needed_by
from mobile_export.kernels.runtimes import Lack, runtime_named
from mobile_export.lint.delegate import Coverage, Phone
from mobile_export.lint.survey import Evidence, Finding

RUNTIME = "tensorflow-android-1.13.1"
"""The last release that is a library for apps; the command `kernels` takes others."""


class Kernels:
    """What the last TensorFlow Mobile lacks; counted are kernels, which several nodes may share."""

    title = "TensorFlow Mobile 1.13.1"
    formats: tuple[str, ...] = ("graphdef", "memmapped")
    platforms: tuple[Phone, ...] = ("android", "ios")
    evidence: Evidence = "listed"

    def survey(self, path: Path) -> Coverage:
        runtime, needs = runtime_named(RUNTIME), needed_by(path)
        lacking = [lacks for lacks in (list(runtime.lacks(need)) for need in needs) if lacks]
        return Coverage(
            source="the registry of org.tensorflow:tensorflow-android:1.13.1, 2019-02-25",
            operators=len(needs),
            findings=tuple(_finding(lacks) for lacks in lacking),
            note="counts kernels, not nodes; lacking one, it does not load the file" if lacking else "counts kernels",
        )


def _finding(lacks: list[Lack]) -> Finding:
    """What is lacking of one kernel, attributes of it included."""
    return Finding(node=lacks[0].node, operator=str(lacks[0].need), why="; ".join(lack.reason for lack in lacks))
