"""What files weigh in a store download."""

from pathlib import Path

_BLOCK = 1 << 20  # bytes that are deflated at a time


def deflated_size(path: Path) -> int:
    """Bytes of a file in a store download: deflated, as APK and IPA do it.

    By ISA-L at its best level: an eighth of zlib's time, the same size for weights, a little more for small files.
    """
    from isal import isal_zlib

    deflate = isal_zlib.compressobj(3)
    with path.open("rb") as file:
        size = sum(len(deflate.compress(block)) for block in iter(lambda: file.read(_BLOCK), b""))
    return size + len(deflate.flush())
