"""What was built, as a manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mobile_export.artifact_files import artifact_hash, sha256_of
from mobile_export.data_checks import Finding
from mobile_export.manifest import (
    GOLDEN,
    REQUIRED_OPERATORS,
    AppEntry,
    ArtifactEntry,
    CheckEntry,
    EdgeEntry,
    Manifest,
    PreprocessingEntry,
    ReadingEntry,
    SchemeEntry,
    SearchEntry,
    SourceEntry,
    TransformEntry,
    TrialEntry,
)
from mobile_export.pipeline import Measured, Prepared
from mobile_export.plan import Plan, file_of, request_for, scheme_of
from mobile_export.quantize.scheme import Scheme
from mobile_export.runner import Edge
from mobile_export.search.find import Found
from mobile_export.target import Artifact, Preprocessing, Target


@dataclass(frozen=True)
class Made:
    """A file that was built now.

    Attributes:
        engine: what quantized it; empty where nothing did.
        found: how its precision was found, where it was searched for.
    """

    measured: Measured
    engine: str = ""
    found: Found | None = None


def describe(
    planned: Plan,
    ready: Prepared,
    findings: Sequence[Finding],
    stage: Path,
    wanted: Sequence[Artifact],
    made: Mapping[str, Made],
    kept: Sequence[ArtifactEntry],
    gate: Literal["closed", "warn"],
) -> Manifest:
    """The manifest of a staged folder.

    Args:
        stage: holds the files of `wanted`, and what lies beside the manifest.
        findings: what is suspicious about the data.
        wanted, made: what was built now, by name.
        kept: entries of what was published before and stays.
        gate: `warn` when files that missed a limit may be published, marked.
    """
    target, about = planned.target, planned.about
    entries = [_entry(planned, artifact, stage, made[artifact.name]) for artifact in wanted]
    order = [artifact.name for artifact in target.artifacts]
    required = stage / REQUIRED_OPERATORS
    missed = any(not one.measured.passed for one in made.values())
    return Manifest(
        target=target.name,
        platform=target.platform,
        version=about.version,
        gate=gate if missed else "closed",
        source=SourceEntry(form=ready.form, files=planned.source, notes=ready.notes),
        data=planned.data,
        warnings=tuple(map(str, findings)),
        preprocessing={name: _preprocessing(how) for name, how in target.model.preprocessing.items()},
        labels=dict(about.labels),
        transforms=tuple(TransformEntry(**vars(step)) for step in ready.transforms),
        artifacts=tuple(sorted([*entries, *kept], key=lambda entry: order.index(entry.name))),
        app=describe_app(target),
        golden=sha256_of(stage / GOLDEN),
        required_operators=sha256_of(required) if required.exists() else None,
        versions=planned.versions,
    )


def describe_app(target: Target) -> AppEntry | None:
    """The class that the target asks for."""
    if target.app is None:
        return None
    named = target.app.class_name or "".join(map(str.capitalize, target.name.split("_")))
    return AppEntry(class_name=named, kotlin_package=target.app.kotlin_package, swift_module=target.app.swift_module)


def _entry(planned: Plan, artifact: Artifact, stage: Path, made: Made) -> ArtifactEntry:
    found, searched = made.measured, made.found
    scheme = searched.scheme if searched else scheme_of(artifact)
    file = file_of(planned.target, artifact)
    return ArtifactEntry(
        name=artifact.name,
        file=file,
        format=artifact.format,
        precision=scheme.precision,
        interface=request_for(artifact, stage).interface,
        scheme=_scheme(scheme),
        engine=made.engine,
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
        remark=found.remark,
        kernels=found.kernels,
        search=_search(searched) if searched else None,
        key=planned.keys[artifact.name],
    )


def _scheme(scheme: Scheme) -> SchemeEntry:
    return SchemeEntry(**{**vars(scheme), "layers": dict(scheme.layers)})


def _search(found: Found) -> SearchEntry:
    trials = tuple(
        TrialEntry(
            why=trial.proposal.why,
            scheme=_scheme(trial.scheme),
            probe=trial.proposal.probe,
            verdict=trial.outcome.verdict,
            bytes=trial.outcome.size,
            readings=tuple(
                ReadingEntry(name=r.name, value=r.value, limit=r.limit, passed=r.passed, unit=r.unit)
                for r in trial.outcome.readings
            ),
            note=trial.outcome.note,
        )
        for trial in found.trail.trials
    )
    return SearchEntry(conclusion=found.sentence, ended=found.trail.ended, trials=trials)


def _preprocessing(how: Preprocessing) -> PreprocessingEntry:
    return PreprocessingEntry(**how.model_dump(exclude={"fold"}), folded=how.fold)


def _edge(edge: Edge) -> EdgeEntry:
    return EdgeEntry(**vars(edge))
