"""Bytes."""

from pathlib import Path

from mobile_export.checks.evidence import Evidence, Measurement, measured
from mobile_export.target import Limits

_BLOCK = 1 << 20


def size(evidence: Evidence, limits: Limits) -> list[Measurement]:
    """Bytes of the file, of its deflated form, and as a fraction of the frozen float32 graph."""
    return [
        measured("size", evidence.size, limits),
        measured("zipped_size", evidence.zipped_size, limits),
        measured("size_ratio", evidence.size / max(evidence.frozen_size, 1), limits),
    ]


def deflated_size(path: Path) -> int:
    """Bytes of a file in a store download: deflated, as APK and IPA do it.

    By ISA-L at its best level: an eighth of zlib's time, the same size for weights, a little more for small files.
    """
    from isal import isal_zlib

    deflate = isal_zlib.compressobj(3)
    with path.open("rb") as file:
        size = sum(len(deflate.compress(block)) for block in iter(lambda: file.read(_BLOCK), b""))
    return size + len(deflate.flush())
