"""What could change an output, as one hash an artifact: equal keys, equal bytes."""

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mobile_export.checkpoints.bundle import Bundle
from mobile_export.checkpoints.prefix import find_checkpoint, is_v2, prefix_of, v1_files
from mobile_export.environment import code_version
from mobile_export.errors import ModelError
from mobile_export.incremental.digests import known_sha256
from mobile_export.planning.devices import devices_of
from mobile_export.target import Artifact, Target

_SHAPING = ("numpy", "protobuf", "tensorflow")
"""Packages that every graph passes through."""


LARGEST = 1 << 36
"""Bytes of a model's files; above that, they are not read to find out what they are."""

_SOURCE: Any = {"source": True, "images": {"labels"}}
_PATHS: Any = {
    "source": True,
    "checkpoint": True,
    "outputs": {"__all__": {"labels"}},
}
"""Parts of `[model]` that say where things lie; what they hold is hashed."""


def source_hashes(files: Sequence[Path]) -> dict[str, str]:
    """sha256 of each of a model's files, by its path below the folder that holds them all.

    Raises:
        ModelError: one cannot be read.
    """
    whole = [path.absolute() for path in files]
    size = sum(path.stat().st_size for path in whole if path.is_file())
    if size > LARGEST:
        raise ModelError(
            f"{whole[0]}: the model's files take {size} bytes, more than any model for a phone; name another"
        )
    folder = Path(os.path.commonpath([path.parent for path in whole]))
    return {path.relative_to(folder).as_posix(): known_sha256(path) for path in whole}


def file_hashes(target: Target) -> dict[str, str]:
    """sha256 of each file that the target names besides the model and its data, by its role.

    Raises:
        ModelError: one cannot be read.
    """
    return {role: known_sha256(path) for role, path in named_files(target).items()}


def named_files(target: Target) -> dict[str, Path]:
    """The files that the target names besides the model and its data, by their roles.

    Raises:
        ModelError: a checkpoint is missing.
    """
    runtimes = {_kernels_role(a.name): a.kernels for a in target.artifacts if a.kernels is not None}
    labels = {f"labels of {output}": path for output, path in target.model.labels.items()}
    passes = {
        role + suffix: file
        for role, path in target.transforms.passes.files.items()
        for suffix, file in _files_named(path).items()
    }
    return labels | runtimes | passes


def _kernels_role(artifact: str) -> str:
    return f"kernels for {artifact}"


def _files_named(path: Path) -> dict[str, Path]:
    """The file `path`, or the files of the checkpoint that it means, each by what follows the prefix in its name."""
    prefix = find_checkpoint(path) if path.is_dir() else prefix_of(path)
    files = Bundle.open(prefix).files if is_v2(prefix) else v1_files(prefix)
    if not files:
        raise ModelError(f"{path}: missing; name a file that is there in transforms.passes")
    return {file.name.removeprefix(prefix.name): file for file in files}


def versions(tools: Sequence[str]) -> dict[str, str]:
    """Installed version of each package, ours included; a missing one is left out."""
    found = {"mobile-export": code_version()}
    for name in sorted({*_SHAPING, *tools}):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def artifact_key(
    target: Target, artifact: Artifact, source: Mapping[str, str], data: Mapping[str, str], tools: Mapping[str, str]
) -> str:
    """Hash of the model, the data, the versions, and what the target says that concerns this artifact.

    Paths do not count (but in the text of transforms), contents do; limits count, since a published file has passed
    them.
    """
    others = {_kernels_role(other.name) for other in target.artifacts if other.name != artifact.name}
    relevant: dict[str, Any] = {
        "source": dict(source),
        "data": {role: digest for role, digest in data.items() if role not in others},
        "versions": dict(tools),
        "model": target.model.model_dump(mode="json", exclude=_PATHS),
        "sampling": target.data.model_dump(mode="json", exclude={"calibration": _SOURCE, "evaluation": _SOURCE}),
        "transforms": target.transforms.model_dump(mode="json"),
        "artifact": artifact.model_dump(mode="json", exclude={"kernels", "runs_on"}),
    }
    devices = devices_of(target, artifact)
    if devices:
        relevant["devices"] = {"runs_on": devices, **target.device.model_dump(mode="json")}
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()
