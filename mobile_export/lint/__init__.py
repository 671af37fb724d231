"""Lint: which operators of a file the fast paths of a phone would leave to the CPU, and why.

A delegate is one file, or one table in `listed/`, and one line here.
"""

from collections.abc import Sequence
from pathlib import Path

from mobile_export import workers
from mobile_export.errors import ExportError
from mobile_export.lint.coreml import CoreML
from mobile_export.lint.delegate import Delegate, Platform
from mobile_export.lint.files import File
from mobile_export.lint.gpu import GPU
from mobile_export.lint.kernels import Kernels
from mobile_export.lint.listed import Listed
from mobile_export.lint.nnapi import NNAPI
from mobile_export.lint.survey import Survey
from mobile_export.lint.xnnpack import XNNPACK
from mobile_export.published.artifact_files import artifact_size

__all__ = ["DELEGATES", "Delegate", "File", "Platform", "relevant", "survey_file", "survey_files", "survey_task"]

_IN_MEMORY = 4
"""Bytes of memory that a byte of a file may take: read, parsed, loaded by its runtime, and prepared for delegates."""

DELEGATES: dict[str, Delegate] = {
    "xnnpack": XNNPACK(),
    "gpu": GPU(),
    "qualcomm": Listed("qualcomm.txt"),
    "mediatek": Listed("mediatek.txt"),
    "google_tensor": Listed("google_tensor.txt"),
    "tflite_coreml": Listed("tflite_coreml.txt"),
    "nnapi": NNAPI(),
    "coreml": CoreML("NeuralNetwork"),
    "coreml_mlprogram": CoreML("MLProgram"),
    "kernels": Kernels(),
}
"""By the name that `lint --fail-on` takes."""


def relevant(format_name: str, platform: Platform) -> tuple[str, ...]:
    """The delegates that files of a format meet on a platform; `any`: on one of them."""
    return tuple(
        name
        for name, delegate in DELEGATES.items()
        if format_name in delegate.formats and (platform == "any" or platform in delegate.platforms)
    )


def survey_file(path: Path, format: str, platform: Platform) -> tuple[Survey, ...]:  # noqa: A002
    """The file at `path`, as each relevant delegate sees it; nothing where no delegate takes its format.

    Args:
        format: a name in `FORMATS`.

    Raises:
        ConversionError: its runtime does not load the file.
        ModelError: it is none of its format, or makes a library abort.
    """
    return survey_files([File(path, format, platform)], jobs=1)[0]


def survey_files(files: Sequence[File], jobs: int, watcher: workers.Watcher | None = None) -> list[tuple[Survey, ...]]:
    """The same for several files at once, in their order."""
    return workers.run([survey_task(file) for file in files], jobs, watcher, memory=workers.default_memory())


def survey_task(file: File, tolerated: tuple[type[ExportError], ...] = ()) -> workers.Task:
    """What finds the surveys of one file in a worker; errors that are `tolerated` stop no other task."""
    return workers.Task(
        f"lint {file.path.name}",
        _surveys,
        (relevant(file.format, file.platform), file.path),
        file.path,
        memory=_IN_MEMORY * artifact_size(file.path),
        tolerated=tolerated,
    )


def _surveys(names: tuple[str, ...], path: Path) -> tuple[Survey, ...]:
    return tuple(_survey(name, DELEGATES[name], path) for name in names)


def _survey(name: str, delegate: Delegate, path: Path) -> Survey:
    coverage = delegate.survey(path)
    return Survey(delegate=name, title=delegate.title, evidence=delegate.evidence, **vars(coverage))
