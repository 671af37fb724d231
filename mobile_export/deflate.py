"""What files weigh in a store download: deflated, as APK and IPA hold them."""

import zlib
from pathlib import Path
from typing import BinaryIO

LEVEL = 6
"""zlib's default, and that of Android's packaging. Faster coders of the same format lose up to a sixth on weights."""
WHOLE_BYTES = 8 << 20
"""A file up to this size is deflated whole; of a larger one, evenly spaced blocks are, and stand for the others."""

_WINDOW = 1 << 15  # bytes back to which deflate refers
_BLOCK = 1 << 16
_BLOCKS = 64


def deflated_size(path: Path) -> int:
    """Bytes of a file after deflate; of files above `WHOLE_BYTES` within about a hundredth."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= WHOLE_BYTES:
            return _deflated(file, 0, size)
        starts = [k * (size - _BLOCK) // (_BLOCKS - 1) for k in range(_BLOCKS)]
        return sum(_deflated(file, start, _BLOCK) for start in starts) * size // (_BLOCKS * _BLOCK)


def _deflated(file: BinaryIO, start: int, length: int) -> int:
    """What `length` bytes from `start` on become, where those before them are known already."""
    before = max(0, start - _WINDOW)
    file.seek(before)
    known = file.read(start - before)
    coder = zlib.compressobj(LEVEL, wbits=-zlib.MAX_WBITS, zdict=known)
    return len(coder.compress(file.read(length))) + len(coder.flush())
