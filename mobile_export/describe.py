"""What was built, as a manifest."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from mobile_export.artifact_files import artifact_hash, sha256_of
from mobile_export.manifest import (
    GOLDEN,
    ArtifactEntry,
    CheckEntry,
    EdgeEntry,
    Manifest,
    PreprocessingEntry,
    SourceEntry,
    TransformEntry,
)
from mobile_export.pipeline import Measured, Prepared
from mobile_export.plan import Plan, file_of, request_for
from mobile_export.runner import Edge
from mobile_export.target import Artifact, Preprocessing


def describe(
    planned: Plan,
    ready: Prepared,
    stage: Path,
    wanted: Sequence[Artifact],
    measured: Mapping[str, Measured],
    kept: Sequence[ArtifactEntry],
    gate: Literal["closed", "warn"],
) -> Manifest:
    """The manifest of a staged folder.

    Args:
        stage: holds the files of `wanted`, and the golden answers.
        wanted, measured: what was built now, and what was measured on it, by name.
        kept: entries of what was published before and stays.
        gate: `warn` when files that missed a limit may be published, marked.
    """
    target = planned.target
    made = [_entry(planned, artifact, stage, measured[artifact.name]) for artifact in wanted]
    order = [artifact.name for artifact in target.artifacts]
    missed = any(not found.passed for found in measured.values())
    return Manifest(
        target=target.name,
        platform=target.platform,
        gate=gate if missed else "closed",
        source=SourceEntry(form=ready.form, files=planned.source, notes=ready.notes),
        data=planned.data,
        preprocessing={name: _preprocessing(how) for name, how in target.model.preprocessing.items()},
        transforms=tuple(TransformEntry(**vars(step)) for step in ready.transforms),
        artifacts=tuple(sorted([*made, *kept], key=lambda entry: order.index(entry.name))),
        golden=sha256_of(stage / GOLDEN),
        versions=planned.versions,
    )


def _entry(planned: Plan, artifact: Artifact, stage: Path, found: Measured) -> ArtifactEntry:
    file = file_of(planned.target, artifact)
    return ArtifactEntry(
        name=artifact.name,
        file=file,
        format=artifact.format,
        precision=artifact.precision,
        interface=request_for(artifact, stage).interface,
        sha256=artifact_hash(stage / file),
        bytes=found.size,
        zipped_bytes=found.zipped_size,
        inputs=tuple(_edge(edge) for edge in found.inputs),
        outputs=tuple(_edge(edge) for edge in found.outputs),
        checks=tuple(
            CheckEntry(check=check, passed=m.passed, **vars(m))
            for check, measurements in found.results.items()
            for m in measurements
        ),
        unchecked=found.unchecked,
        kernels=found.kernels,
        key=planned.keys[artifact.name],
    )


def _preprocessing(how: Preprocessing) -> PreprocessingEntry:
    return PreprocessingEntry(**how.model_dump(exclude={"fold"}), folded=how.fold)


def _edge(edge: Edge) -> EdgeEntry:
    return EdgeEntry(**vars(edge))
