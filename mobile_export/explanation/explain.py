"""Explaining one built file: compares it with the float file, layer by layer, in a worker."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from mobile_export import workers
from mobile_export.errors import TargetError
from mobile_export.explanation.comparison import Compared, LayerError, compare
from mobile_export.explanation.sources import format_of, prepared_samples, published_float, published_folder, source_of
from mobile_export.formats import FORMATS

SAMPLES = 32
"""How many are run where nobody says."""


@dataclass(frozen=True)
class Explanation:
    """A file against the float file.

    Attributes:
        against: the float file, or how it was made.
        samples: how many were run.
        data: where they come from.
        layers: those that both files have, worst first.
        note: what could not be measured, and why; empty where all was.
    """

    file: Path
    against: str
    samples: int
    data: str
    layers: tuple[LayerError, ...]
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """For JSON, which has no infinity: it is a string there."""
        return {
            "file": self.file.as_posix(),
            "against": self.against,
            "samples": self.samples,
            "data": self.data,
            "note": self.note,
            "layers": [_finite(vars(layer)) | {"reasons": [vars(r) for r in layer.reasons]} for layer in self.layers],
        }


def explain_file(
    path: Path,
    against: Path | None = None,
    target: Path | None = None,
    data: Path | None = None,
    samples: int | None = None,
    watcher: workers.Watcher | None = None,
) -> Explanation:
    """Compare the built file `path` with the float file, layer by layer.

    Args:
        against: the float32 file. Default: that of the published folder in which `path` lies, else one of `target`.
        target: the target file that `path` was built from; brings the float file, and data.
        data: inputs as the file takes them. Default: those of `target`, else those recorded beside the file.
        samples: how many are run; default: `SAMPLES`.

    Raises:
        TargetError: the file's kind is not explained, or there is no float file, or no data.
        ExportError: a file does not load or is of another model, or the data does not fit.
    """
    name = format_of(path)
    published = None if against and (data or target) else published_folder(path)
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as work:
        baseline = against or published_float(published, name)
        made = None if baseline is not None else Path(work, f"float32{FORMATS[name].suffix}")
        said = f"the float32 file of {target}" if baseline is None else str(baseline)
        prepared = None
        if target is not None:
            prepared = prepared_samples(target, Path(work), name, made, watcher)
            baseline = baseline or made
        if baseline is None:
            raise TargetError(
                f"{path}: there is nothing to compare it with; name the float32 file with --against, or the target "
                "that it was built from with --target"
            )
        format_of(baseline, name)
        source = source_of(path, data, prepared, published)
        task = workers.Task(f"explain {path.name}", compare, (name, path, baseline, source, samples or SAMPLES))
        found: Compared = workers.run([task], 1, watcher)[0]
    return Explanation(path, said, found.samples, source.said, found.layers, found.note)


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: str(v) if isinstance(v, float) and not isfinite(v) else v for key, v in values.items()}
