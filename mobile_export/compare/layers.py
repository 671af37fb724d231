"""Where each quantized file errs, layer by layer against the float file of its format. Runs in workers."""

import tempfile
from pathlib import Path

from mobile_export.compare.result import Layer
from mobile_export.explanation.comparison import LayerError
from mobile_export.explanation.comparison import compare as compare_layers
from mobile_export.explanation.explain import SAMPLES
from mobile_export.explanation.sources import Source
from mobile_export.formats import FORMATS, Request
from mobile_export.pipeline import Prepared, write
from mobile_export.published.manifest import ArtifactEntry
from mobile_export.samples import load_samples, save_samples
from mobile_export.sampling import PARITY, outside, ready
from mobile_export.target import Target
from mobile_export.watching import NETWORKS


def is_explained(entry: ArtifactEntry) -> bool:
    """Whether the file has layers that differ from those of its float file, and a format that is looked into."""
    return entry.format in NETWORKS and (entry.precision != "float32" or bool(entry.scheme.layers))


def write_float(format_name: str, folder: Path) -> Path:
    """The float file of a format, in a work folder; one that lies there is taken."""
    path = folder / f"float32{FORMATS[format_name].suffix}"
    if not path.exists():
        write(format_name, folder, [Request("float32", path)])
    return path


def explain_layers(
    target: Target, ready_for: Prepared, folder: Path, format_name: str, path: Path, baseline: Path
) -> tuple[Layer, ...]:
    """Compare the file at `path` with the one at `baseline`, on some of the samples in the work folder.

    Raises:
        ModelError, ConversionError: they cannot be compared.
    """
    few = {name: array[:SAMPLES] for name, array in load_samples(folder / PARITY).items()}
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as place:
        samples = Path(place, "samples.npz")
        save_samples(samples, ready(few, outside(target), ready_for.inputs))
        found = compare_layers(format_name, path, baseline, Source(samples, "the target's samples"), SAMPLES)
    return tuple(map(_layer, found.layers))


def _layer(error: LayerError) -> Layer:
    return Layer(
        name=error.name,
        operator=error.operator,
        precision=error.precision,
        sqnr=error.sqnr,
        own_sqnr=error.own_sqnr,
        reasons=tuple(reason.text for reason in error.reasons),
    )
