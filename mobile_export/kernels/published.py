"""The `ops_to_register.h` of a published folder: what all of its files need, as its manifest has it."""

from pathlib import Path

from mobile_export.kernels.header import FILE_NAME, header
from mobile_export.published.manifest import Manifest


def save_header(manifest: Manifest, folder: Path) -> None:
    """Write it into `folder`, where the manifest has files that TensorFlow runs."""
    text = _header_of(manifest)
    if text is not None:
        (folder / FILE_NAME).write_bytes(text)


def has_header(manifest: Manifest, folder: Path) -> bool:
    """Whether `folder` has it as it was written, or needs none."""
    text = _header_of(manifest)
    return text is None or ((folder / FILE_NAME).is_file() and (folder / FILE_NAME).read_bytes() == text)


def _header_of(manifest: Manifest) -> bytes | None:
    listed = [pair for entry in manifest.artifacts for pair in entry.kernels.items()]
    kernels = [(op, name) for op, classes in listed for name in classes or ("",)]
    return header(kernels, f"the target {manifest.target}").encode() if kernels else None
