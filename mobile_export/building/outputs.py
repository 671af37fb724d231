"""What a build will publish, told from the target file alone."""

from pathlib import Path

from mobile_export.apps import source_paths
from mobile_export.apps.interface import RUNTIMES, vectors_of
from mobile_export.building.describe import describe_app
from mobile_export.formats import FORMATS, About, FolderFormat
from mobile_export.kernels.header import FILE_NAME as HEADER
from mobile_export.planning.plan import file_of
from mobile_export.published.manifest import FILE_NAME, GOLDEN, REQUIRED_OPERATORS
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
    """Paths of generated code and golden vectors."""
    app = describe_app(target)
    run = [artifact for artifact in target.artifacts if artifact.format in RUNTIMES]
    if app is None or not run:
        return []
    vectors = [vectors_of(file_of(target, artifact)) for artifact in run if not artifact.allow_select_tf_ops]
    return [*source_paths(app, [artifact.format for artifact in run]), *vectors]
