"""What the tests of all readers share."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export.data import BATCH, Wanted, read_samples
from mobile_export.graphs.graph import TensorSpec
from mobile_export.samples import Samples
from mobile_export.target import DataSource, UserCode

ROOT = Path(__file__).parent.parent.parent


def spec(name: str = "image", dtype: str = "float32", shape: tuple[int, ...] | None = (-1, 4)) -> TensorSpec:
    return TensorSpec(name, f"{name}:0", dtype, shape)


def source_of(source: str | Path | UserCode, **how: Any) -> DataSource:
    folder = source.folder if isinstance(source, UserCode) else Path()
    named = f"{source.module}:{source.name}" if isinstance(source, UserCode) else str(source)
    return DataSource.model_validate({"source": named, **how}, context={"folder": folder})


def read(
    source: str | Path | UserCode, *inputs: TensorSpec, labels: str | None = None, raw=(), classes=None, **how: Any
) -> Samples:
    """All drawn samples, in one piece."""
    wanted = Wanted(inputs or (spec(),), labels, raw, classes)
    count, batches = read_samples(source_of(source, **how), wanted)
    given = list(batches)
    assert all(list(batch) == wanted.names for batch in given)
    lengths = [len(array) for batch in given for array in batch.values()]
    assert 0 < max(lengths) <= BATCH
    assert len({(name, a.dtype, a.shape[1:]) for batch in given for name, a in batch.items()}) == len(wanted.names)
    samples = {name: np.concatenate([batch[name] for batch in given]) for name in wanted.names}
    assert {len(array) for array in samples.values()} == {count}
    return samples


def peak_megabytes(script: str) -> float:
    """The most memory that `script` takes beyond what importing takes, in a process of its own."""
    measured = f"""
import re
from pathlib import Path
from tests.data.reading import *
import PIL.Image
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
before = peak()
{script}
print((peak() - before) / 1024)
"""
    ended = subprocess.run([sys.executable, "-c", measured], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return float(ended.stdout)
