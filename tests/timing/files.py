"""Files to measure: one matrix product, of as many weights as a test wants, in any format."""

from pathlib import Path

import numpy as np

from mobile_export.formats import FORMATS, Request
from mobile_export.samples import save_samples
from mobile_export.timing import File
from tests.graph_text import parse

GRAPH = """
x = Placeholder float32[1,{size}]
w = Const float32[{size},{size}] ~1
b = Const float32[{size}] ~2
m = MatMul(x, w) transpose_a=false transpose_b=false
y = Add(m, b)
input x = x:0
output y = y:0
"""


def product(folder: Path, form: str, size: int) -> File:
    """A file with `size` × `size` weights in float32."""
    path = folder / f"{form}_{size}{FORMATS[form].suffix}"
    if not path.exists():
        FORMATS[form].write(parse(GRAPH.format(size=size)), [Request("product", path)], None)
    return File(form, path)


def samples_of(folder: Path, size: int) -> Path:
    """What such a file takes."""
    path = folder / f"samples_{size}.npz"
    save_samples(path, {"x": np.random.default_rng(0).random((3, size), np.float32)})
    return path
