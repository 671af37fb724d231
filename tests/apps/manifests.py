"""Manifests of targets that nobody built."""

from typing import Any

from mobile_export.published.manifest import AppEntry, ArtifactEntry, EdgeEntry, Manifest, SchemeEntry

SUFFIXES = {"tflite": ".tflite", "onnx": ".onnx", "ort": ".ort", "graphdef": ".pb"}


def entry(
    name: str,
    form: str,
    inputs: tuple[str, ...] = ("image",),
    outputs: tuple[str, ...] = ("classes",),
    shape: tuple[int, ...] = (1, 4),
    dtype: str = "float32",
    scale: float | None = None,
) -> ArtifactEntry:
    """A file whose inputs are of this shape and type, and whose outputs are float32[1, 2].

    Its names are not validated: generators stand those, too, that no manifest may have.
    """
    point = None if scale is None else 3
    edge = EdgeEntry.model_construct
    return ArtifactEntry.model_construct(
        name=name,
        file=f"assets/models/demo/{name}{SUFFIXES[form]}",
        format=form,
        precision="float32",
        interface=dtype,
        scheme=SchemeEntry(precision="float32"),
        sha256="0" * 64,
        bytes=1,
        zipped_bytes=1,
        inputs=tuple(edge(name=i, dtype=dtype, shape=shape, scale=scale, zero_point=point) for i in inputs),
        outputs=tuple(edge(name=o, dtype="float32", shape=(1, 2)) for o in outputs),
        checks=(),
        key="0" * 64,
    )


def manifest(*entries: ArtifactEntry, app: Any = {"class_name": "Demo"}, **more: Any) -> Manifest:  # noqa: B006
    """A target `demo` of these files."""
    return Manifest.model_validate(
        {
            "target": "demo",
            "platform": "any",
            "version": "1",
            "source": {"form": "checkpoint", "files": {}},
            "data": {},
            "transforms": (),
            "artifacts": entries,
            "app": AppEntry.model_construct(**app) if isinstance(app, dict) else app,
            "golden": "0" * 64,
            "versions": {},
            **more,
        }
    )
