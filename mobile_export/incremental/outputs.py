"""What a build will publish, told from the target file alone."""

from pathlib import Path

from mobile_export.apps import generate
from mobile_export.apps.interface import RUNTIMES, interface_of
from mobile_export.describe import describe_app
from mobile_export.formats import FORMATS, About, FolderFormat
from mobile_export.kernels.header import FILE_NAME as HEADER
from mobile_export.manifest import (
    FILE_NAME,
    GOLDEN,
    REQUIRED_OPERATORS,
    ArtifactEntry,
    EdgeEntry,
    Manifest,
    SchemeEntry,
    SourceEntry,
)
from mobile_export.plan import file_of
from mobile_export.target import RUN_BY_KERNELS, Artifact, Target


def outputs_of(target: Target, out: Path) -> list[Path]:
    """Every file that a build of the whole target publishes in `out`, sorted.

    Golden vectors of files that may need TensorFlow's own operators are left out: whether they can be run, and so
    have vectors, is known when they are built.
    """
    formats = {artifact.format for artifact in target.artifacts}
    files = [FILE_NAME, GOLDEN]
    files += [REQUIRED_OPERATORS] if "ort" in formats else []
    files += [HEADER] if formats & {*RUN_BY_KERNELS} else []
    files += [path for artifact in target.artifacts for path in _files_of(target, artifact)]
    files += _generated(target)
    return sorted(out / target.name / file for file in files)


def _files_of(target: Target, artifact: Artifact) -> list[str]:
    path, unit = file_of(target, artifact), FORMATS[artifact.format]
    if not isinstance(unit, FolderFormat):
        return [path]
    return [f"{path}/{name}" for name in unit.contents(About(labels=dict.fromkeys(target.model.labels, ())))]


def _generated(target: Target) -> list[str]:
    """Paths of generated code and vectors, by a stand-in for the manifest: they do not depend on shapes and values."""
    run = [artifact for artifact in target.artifacts if artifact.format in RUNTIMES]
    if target.app is None or not run:
        return []
    inputs, outputs = (
        tuple(EdgeEntry(name=name, dtype="float32", shape=(1,)) for name in names)
        for names in ([i.name for i in target.model.inputs] or ["x"], [o.name for o in target.model.outputs] or ["y"])
    )
    entries = tuple(
        ArtifactEntry(
            name=artifact.name,
            file=file_of(target, artifact),
            format=artifact.format,
            precision="float32",
            interface="float32",
            scheme=SchemeEntry(precision="float32"),
            sha256="",
            bytes=0,
            zipped_bytes=0,
            inputs=inputs,
            outputs=outputs,
            checks=(),
            key="",
        )
        for artifact in run
    )
    stand_in = Manifest(
        target=target.name,
        platform=target.platform,
        version="",
        source=SourceEntry(form="", files={}),
        data={},
        transforms=(),
        artifacts=entries,
        app=describe_app(target),
        golden="",
        versions={},
    )
    unsure = {artifact.name for artifact in run if artifact.allow_select_tf_ops}
    vectors = [variant.vectors for variant in interface_of(stand_in).variants if variant.name not in unsure]
    return [*generate(stand_in, {}), *vectors]
