"""Published folders, looked at again: the same bytes, and still the same answers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_export import workers
from mobile_export.errors import ModelError
from mobile_export.formats import FORMATS
from mobile_export.graphs.tensors import Array
from mobile_export.kernels.header import FILE_NAME as HEADER
from mobile_export.kernels.published import has_header
from mobile_export.published.integrity import artifact_problem, beside_problem, unknown_files
from mobile_export.published.manifest import GOLDEN, ArtifactEntry, load_manifest
from mobile_export.runner import run_samples
from mobile_export.samples import Samples, load_samples

TOLERANCE = 1e-4
"""Of an answer's largest magnitude: kernels differ a little between CPUs."""
_EXACT = "biuOSTU"
"""Kinds of element types whose values are what they are: NumPy's letters for truth, integers and text."""


@dataclass(frozen=True)
class Finding:
    """One file, by its path in the published folder of its target.

    `problem` is None when all is well, and `unchecked` when its answers could be looked at.
    """

    target: str
    file: str
    problem: str | None
    unchecked: str | None = None


def verify(folder: Path, jobs: int = 1) -> list[Finding]:
    """Check every file of a published folder: hash first, then its recorded answers on its runtime.

    Raises:
        ModelError: the manifest or the recorded answers are missing or damaged.
    """
    manifest = load_manifest(folder)
    problem = beside_problem(folder, manifest)
    if problem is not None:
        raise ModelError(f"{folder}: {problem}; build the target again")
    if not has_header(manifest, folder):
        raise ModelError(f"{folder / HEADER}: is not the file that was published; build the target again")
    findings = {entry.name: artifact_problem(folder, entry) for entry in manifest.artifacts}
    sound = [entry for entry in manifest.artifacts if findings[entry.name] is None and not entry.unchecked]
    tasks = [workers.Task(f"run {entry.name}", answers_problem, (folder, entry)) for entry in sound]
    findings |= dict(zip([entry.name for entry in sound], workers.run(tasks, jobs), strict=True))
    unknown = unknown_files(folder, manifest)
    found = [Finding(manifest.target, e.file, findings[e.name], e.unchecked) for e in manifest.artifacts]
    return found + [Finding(manifest.target, path, "is not in the manifest; remove it") for path in unknown]


def answers_problem(folder: Path, entry: ArtifactEntry) -> str | None:
    """How the answers of a file differ from those recorded for it; None when they do not."""
    recorded = load_samples(folder / GOLDEN)
    inputs, expected = _below(recorded, "inputs/"), _below(recorded, f"answers/{entry.name}/")
    if entry.format not in FORMATS:
        return f"is of the format {entry.format!r}, which this version does not know"
    if set(expected) != {edge.name for edge in entry.outputs}:
        return "has no recorded answers; build the target again"
    answers = run_samples(FORMATS[entry.format].open(folder / entry.file), inputs)
    for name, array in expected.items():
        scale = next((edge.scale for edge in entry.outputs if edge.name == name), None)
        problem = _difference(answers[name], array, scale)
        if problem is not None:
            return f"output {name!r} {problem}"
    return None


def _difference(answer: Array, recorded: Array, scale: float | None) -> str | None:
    """How an answer differs from the recorded one by more than it may; None when it does not.

    Real numbers may differ a little, and by a step where a file made them from integers. Integers that stand for
    themselves, classes and tokens among them, may not; nor may truth and text.

    Args:
        scale: the step, if there is one.
    """
    if answer.shape != recorded.shape:
        return "has another shape than the recorded answer"
    if answer.dtype.kind in _EXACT or recorded.dtype.kind in _EXACT:
        wrong = np.count_nonzero(answer != recorded)
        return f"differs from the recorded answer in {wrong} of {recorded.size} values" if wrong else None
    worst = float(np.abs(np.subtract(answer, recorded, dtype=np.complex128)).max(initial=0.0))
    allowed = max(TOLERANCE * float(np.abs(recorded).max(initial=0)), scale or 0.0)
    if not worst <= allowed:
        return f"differs from the recorded answer by {worst:.3g} (allowed: {allowed:.3g})"
    return None


def _below(recorded: Samples, prefix: str) -> Samples:
    return {name.removeprefix(prefix): array for name, array in recorded.items() if name.startswith(prefix)}
