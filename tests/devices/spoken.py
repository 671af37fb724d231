"""What a runner sends, made by hand."""

import struct


def model(*edges: bytes, counts: tuple[int, int] = (1, 1)) -> bytes:
    """Its beginning: the edges of a file, by default x and y."""
    return b"MXR1" + struct.pack("<III", 1, *counts) + b"".join(edges or (edge(b"x"), edge(b"y")))


def edge(name: bytes = b"x", code: int = 1, *sizes: int) -> bytes:
    """An edge; by default float32 of shape [-1, 2]."""
    sizes = sizes or (-1, 2)
    return struct.pack(f"<I{len(name)}sII{len(sizes)}q", len(name), name, code, len(sizes), *sizes)


def answer(*sizes: int, code: int = 1) -> bytes:
    """An answer's only output, up to its elements."""
    return struct.pack(f"<III{len(sizes)}q", 2, code, len(sizes), *sizes)


def error(text: bytes, kind: int = 3) -> bytes:
    """Its last words."""
    return struct.pack("<II", kind, len(text)) + text
