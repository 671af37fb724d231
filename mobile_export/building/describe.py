"""What was built, as a manifest."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobile_export.checks import Measurement
from mobile_export.data_checks import Finding
from mobile_export.pipeline import Measured, Prepared, Ran
from mobile_export.planning.devices import devices_of
from mobile_export.planning.plan import Plan, file_of, request_for, scheme_of
from mobile_export.published.manifest import (
    AppEntry,
    ArtifactEntry,
    CheckEntry,
    DeviceEntry,
    EdgeEntry,
    Manifest,
    OperatorEntry,
    Preparation,
    PreprocessingEntry,
    ReadingEntry,
    SchemeEntry,
    SearchEntry,
    SourceEntry,
    TransformEntry,
    TrialEntry,
)
from mobile_export.quantize.scheme import Scheme
from mobile_export.runner import Edge
from mobile_export.search.find import Found
from mobile_export.target import Artifact, Preprocessing, Target

SKIPPED = "devices were skipped (--skip-device)"


@dataclass(frozen=True)
class Made:
    """A file that was built now.

    Attributes:
        engine: what quantized it; empty where nothing did.
        found: how its precision was found, where it was searched for.
        ran: what it answered on each of its devices.
    """

    measured: Measured
    engine: str = ""
    found: Found | None = None
    ran: tuple[Ran, ...] = ()


def describe(
    planned: Plan,
    entries: Sequence[ArtifactEntry],
    preparation: Preparation,
    golden: bytes,
    required_operators: bytes | None,
) -> Manifest:
    """The manifest of a folder, without what is generated from it.

    Args:
        entries: of all its artifacts, in the order of the target.
        golden, required_operators: what lies beside the manifest.
    """
    target, about = planned.target, planned.about
    missed = not all(entry.passed for entry in entries)
    return Manifest(
        target=target.name,
        platform=target.platform,
        version=about.version,
        gate="warn" if missed else "closed",
        source=SourceEntry(form=preparation.form, files=planned.source, notes=preparation.notes),
        data=planned.data,
        warnings=preparation.warnings,
        preprocessing={name: _preprocessing(how) for name, how in target.model.preprocessing.items()},
        labels=dict(about.labels),
        transforms=preparation.transforms,
        artifacts=tuple(entries),
        app=describe_app(target),
        golden=hashlib.sha256(golden).hexdigest(),
        required_operators=None if required_operators is None else hashlib.sha256(required_operators).hexdigest(),
        versions=planned.versions,
    )


def describe_preparation(ready: Prepared, findings: Sequence[Finding]) -> Preparation:
    """What was found before any file was written; `findings` are what is suspicious about the data."""
    return Preparation(
        form=ready.form,
        notes=ready.notes,
        warnings=tuple(map(str, findings)),
        transforms=tuple(TransformEntry(**vars(step)) for step in ready.transforms),
    )


def describe_app(target: Target) -> AppEntry | None:
    """The class that the target asks for."""
    if target.app is None:
        return None
    camel = "".join(map(str.capitalize, target.name.split("_")))
    named = target.app.class_name or (f"Model{camel}" if camel[0].isdigit() else camel)[:64]
    return AppEntry(**{**dict(target.app), "class_name": named})


def describe_artifact(planned: Plan, artifact: Artifact, stage: Path, made: Made) -> ArtifactEntry:
    """The entry of a file that was built now, and lies in `stage`."""
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
        sha256=found.sha256,
        bytes=found.size,
        zipped_bytes=found.zipped_size,
        inputs=tuple(_edge(edge) for edge in found.inputs),
        outputs=tuple(_edge(edge) for edge in found.outputs),
        checks=_checks(found.results),
        unchecked=found.unchecked,
        remark=found.remark,
        kernels=found.kernels,
        search=_search(searched) if searched else None,
        devices=_devices(planned.target, artifact, made),
        key=planned.keys[artifact.name],
    )


def _checks(results: Mapping[str, Sequence[Measurement]]) -> tuple[CheckEntry, ...]:
    return tuple(
        CheckEntry(check=check, passed=m.passed, **vars(m))
        for check, measurements in results.items()
        for m in measurements
    )


def _devices(target: Target, artifact: Artifact, made: Made) -> tuple[DeviceEntry, ...]:
    if target.device.skip:
        return tuple(DeviceEntry(device=name, skipped=SKIPPED) for name in devices_of(target, artifact))
    return tuple(
        DeviceEntry(
            device=ran.device,
            runtime=ran.runtime,
            samples=ran.samples,
            checks=_checks(ran.judged(made.measured.results)),
            operators=tuple(OperatorEntry(**vars(operator)) for operator in ran.operators),
            skipped=ran.skipped,
        )
        for ran in made.ran
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
