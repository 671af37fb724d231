"""Published folders, looked at again: the same bytes, and still the same answers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_export import workers
from mobile_export.errors import ModelError
from mobile_export.formats import FORMATS
from mobile_export.integrity import artifact_problem, beside_problem, unknown_files
from mobile_export.kernels.header import FILE_NAME as HEADER
from mobile_export.kernels.published import has_header
from mobile_export.manifest import GOLDEN, ArtifactEntry, load_manifest
from mobile_export.runner import run_samples
from mobile_export.samples import Samples, load_samples

TOLERANCE = 1e-4
"""Of an answer's largest magnitude: kernels differ a little between CPUs."""


@dataclass(frozen=True)
class Finding:
    """One published file: `problem` is None when all is well, and `unchecked` when its answers could be looked at."""

    target: str
    artifact: str
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
    unchecked = {entry.name: entry.unchecked for entry in manifest.artifacts}
    sound = [entry for entry in manifest.artifacts if findings[entry.name] is None and not entry.unchecked]
    tasks = [workers.Task(f"run {entry.name}", answers_problem, (folder, entry)) for entry in sound]
    findings |= dict(zip([entry.name for entry in sound], workers.run(tasks, jobs), strict=True))
    unknown = unknown_files(folder, manifest)
    found = [Finding(manifest.target, name, problem, unchecked[name]) for name, problem in findings.items()]
    return found + [Finding(manifest.target, name, "is not in the manifest; remove it") for name in unknown]


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
        if answers[name].shape != array.shape:
            return f"output {name!r} has another shape than the recorded answer"
        step = next((edge.scale for edge in entry.outputs if edge.name == name), None)
        worst = float(np.abs(np.subtract(answers[name], array, dtype=np.complex128)).max(initial=0.0))
        allowed = max(TOLERANCE * float(np.abs(array).max(initial=0)), step or 0.0)
        if not worst <= allowed:
            return f"output {name!r} differs from the recorded answer by {worst:.3g} (allowed: {allowed:.3g})"
    return None


def _below(recorded: Samples, prefix: str) -> Samples:
    return {name.removeprefix(prefix): array for name, array in recorded.items() if name.startswith(prefix)}
