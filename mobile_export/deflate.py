"""What files weigh in a store download: deflated, as APK and IPA hold them."""

import zlib
from collections.abc import Iterator
from pathlib import Path

LEVEL = 6
"""zlib's default, and that of Android's packaging. Faster coders of the same format lose up to a sixth on weights."""
WHOLE_BYTES = 16 << 20
"""A file up to this size is deflated whole; of a larger one, evenly spaced blocks are, and stand for the others."""

_BLOCK = 1 << 19
_SAMPLED_BLOCKS = 16


def deflated_size(path: Path) -> int:
    """Bytes of a file after deflate; within two hundredths for files above `WHOLE_BYTES`."""
    size = path.stat().st_size
    if size <= WHOLE_BYTES:
        return sum(_deflated(_blocks(path, 0, size)))
    starts = [k * (size - _BLOCK) // (_SAMPLED_BLOCKS - 1) for k in range(_SAMPLED_BLOCKS)]
    deflated = sum(sum(_deflated(_blocks(path, start, start + _BLOCK))) for start in starts)
    return deflated * size // (_SAMPLED_BLOCKS * _BLOCK)


def _deflated(blocks: Iterator[bytes]) -> Iterator[int]:
    coder = zlib.compressobj(LEVEL)
    for block in blocks:
        yield len(coder.compress(block))
    yield len(coder.flush())


def _blocks(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        for at in range(start, end, _BLOCK):
            yield file.read(min(_BLOCK, end - at))
