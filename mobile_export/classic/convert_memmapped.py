"""`convert-memmapped`: a graph whose large constants lie in the file so that TensorFlow maps them.

The file is that of TensorFlow's convert_graphdef_memmapped_format, with constants of quantized types among those that
are mapped: `quantize_weights` makes such of all large constants, so that there was nothing left to map. Every
TensorFlow with a MemmappedEnv reads it: since its first, in 0.8, ImmutableConst's kernel takes any type of fixed size.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mobile_export.classic.changes import Changes
from mobile_export.classic.files import check_output, read_graph, replacing
from mobile_export.classic.flags import Flags, flag
from mobile_export.errors import TargetError
from mobile_export.formats.memmapped import MIN_BYTES, Package
from mobile_export.graphs.graph import total_bytes


@dataclass(frozen=True, kw_only=True)
class ConvertMemmapped(Flags):
    """Put the large constants of a graph beside it, for TensorFlow's MemmappedEnv to map instead of load."""

    in_graph: str = flag("", "GraphDef, binary or text.")
    out_graph: str = flag("", "File to write.")
    min_conversion_tensor_size: int = flag(
        MIN_BYTES,
        "Bytes of the smallest constant that is mapped. (The original said elements here, and counted bytes.)",
    )
    classic: bool = flag(False, "Whether constants of quantized types stay in the graph, as in the original.")


def convert_memmapped(flags: ConvertMemmapped) -> Changes:
    """Convert the graph in a file, as the flags say.

    Raises:
        TargetError: a flag is missing or wrong.
        ModelError: the graph cannot be read.
        ConversionError: a few bytes of the graph would fill gigabytes of the file.
        OutputError: it cannot be written.
    """
    target = check_output(flags.out_graph, "out_graph")
    if flags.min_conversion_tensor_size <= 0:
        raise TargetError(
            f"--min_conversion_tensor_size: {flags.min_conversion_tensor_size} is no number of bytes; write 1 or more"
        )
    graph = read_graph(flags.in_graph, "in_graph")
    package = Package.of(graph, flags.min_conversion_tensor_size, quantized=not flags.classic)
    with replacing(target, "out_graph") as unfinished:
        package.write(unfinished)
    return Changes.between(
        Path(flags.in_graph).expanduser(), graph, target, package.graph, list(_notes(flags, package))
    )


def _notes(flags: ConvertMemmapped, package: Package) -> Iterator[str]:
    yield f"{len(package.regions)} constants, {total_bytes(package.regions):,} bytes, are mapped"
    large = {n: a for n, a in package.graph.constants.items() if a.nbytes >= flags.min_conversion_tensor_size}
    quantized = {name: array for name, array in large.items() if array.dtype.names is not None}
    if flags.classic and quantized:
        yield f"{len(quantized)} of quantized types, {total_bytes(quantized):,} bytes, are loaded (--classic)"
    others = {name: array for name, array in large.items() if name not in quantized}
    if others:
        yield (
            f"{len(others)}, {total_bytes(others):,} bytes, are loaded, {next(iter(others))!r} first: TensorFlow may "
            "write into the memory of such constants, and that of a mapped one cannot be written"
        )
