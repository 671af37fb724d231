"""A published folder that no build has made: files, and a manifest that describes them."""

from pathlib import Path
from typing import Any

from mobile_export.published.artifact_files import artifact_hash, artifact_size, sha256_of
from mobile_export.published.manifest import (
    AppEntry,
    ArtifactEntry,
    CheckEntry,
    DeviceEntry,
    EdgeEntry,
    Manifest,
    OperatorEntry,
    SchemeEntry,
    SourceEntry,
)

APP = AppEntry(class_name="Digits", kotlin_package="com.example.digits", swift_module="DigitsModel")
IMAGE = EdgeEntry(name="image", dtype="float32", shape=(1, 28, 28, 1))
PROBABILITIES = EdgeEntry(name="probabilities", dtype="float32", shape=(1, 10))
SUFFIXES = {"tflite": ".tflite", "onnx": ".onnx", "ort": ".ort", "graphdef": ".pb", "saved_model": ""}


def artifact(name: str = "digits", target: str = "android", **more: Any) -> ArtifactEntry:
    """An entry of a file that need not be anywhere."""
    given: dict[str, Any] = {
        "format": "tflite",
        "precision": "float32",
        "interface": "float32",
        "scheme": SchemeEntry(precision="float32"),
        "sha256": "0" * 64,
        "bytes": 1000,
        "zipped_bytes": 900,
        "inputs": (IMAGE,),
        "outputs": (PROBABILITIES,),
        "checks": (),
        "key": "k",
        **more,
    }
    file = f"assets/models/{target}/{name}{SUFFIXES[given['format']]}"
    return ArtifactEntry(**{"name": name, "file": file, **given})


def device(core: str = "cortex-a53", difference: float = 0.0, limit: float = 0.0, **more: Any) -> DeviceEntry:
    """What a file answered on a core; with operators at fault where that is not what it answers here."""
    given = {"check": "device", "name": "device_difference", "value": difference, "limit": limit, "at_least": False}
    check = CheckEntry(**given, passed=difference <= limit)
    fault = OperatorEntry(
        name="conv/Relu", operator="CONV_2D", difference=difference, share=0.25, reason="it has no dot product"
    )
    operators = () if check.passed else (fault,)
    found: dict[str, Any] = {"runtime": "LiteRT", "samples": 32, "checks": (check,), "operators": operators, **more}
    return DeviceEntry(device=f"arm64:{core}", **found)


def not_run(core: str = "cortex-a53", why: str = "skipped") -> DeviceEntry:
    return DeviceEntry(device=f"arm64:{core}", skipped=why)


def manifest(*artifacts: ArtifactEntry, **more: Any) -> Manifest:
    given: dict[str, Any] = {
        "target": "android",
        "platform": "android",
        "version": "1",
        "source": SourceEntry(form="checkpoint", files={}),
        "data": {},
        "transforms": (),
        "artifacts": artifacts or (artifact(),),
        "golden": "0" * 64,
        "versions": {},
        **more,
    }
    return Manifest(**given)


def published(
    out: Path,
    target: str = "android",
    files: dict[str, bytes] | None = None,
    generated: dict[str, bytes] | None = None,
    formats: dict[str, str] | None = None,
    **more: Any,
) -> Path:
    """Write `out/<target>`.

    Args:
        files: of the artifacts, by their name, or name/path where one is a folder.
        generated: by path.
        formats: by artifact, where it is not tflite.
    """
    folder = out / target
    files = {"digits": b"a model"} if files is None else files
    entries = []
    for name in dict.fromkeys(path.partition("/")[0] for path in files):
        entry = artifact(name, target, format=(formats or {}).get(name, "tflite"))
        for path, data in files.items():
            if path.partition("/")[0] == name:
                _write(folder / f"{entry.file}{path.removeprefix(name)}", data)
        found = folder / entry.file
        entries.append(entry.model_copy(update={"sha256": artifact_hash(found), "bytes": artifact_size(found)}))
    for path, data in {**(generated or {}), "golden.npz": b"golden"}.items():
        _write(folder / path, data)
    digests = {path: sha256_of(folder / path) for path in generated or {}}
    more = {"artifacts": tuple(entries), "golden": sha256_of(folder / "golden.npz"), "generated": digests, **more}
    manifest(target=target, **more).save(folder)
    return folder


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
