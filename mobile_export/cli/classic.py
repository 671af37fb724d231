"""The classic tools, with flags of their own: TensorFlow's, and what they print."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from mobile_export.cli.app import print_json, remark, say

if TYPE_CHECKING:
    from mobile_export.classic.changes import Changes
    from mobile_export.classic.flags import Flags, Kind


def freeze_graph(context: typer.Context) -> None:
    """Turn the variables of a graph into constants, as TensorFlow's freeze_graph does, with its flags."""
    from mobile_export.classic.freeze_graph import FreezeGraph, freeze_graph

    flags = _classic(FreezeGraph, context.args)
    frozen = freeze_graph(flags)
    remark(f"{frozen.ops} ops in the final graph.")
    if flags.format == "json":
        print_json({"output_graph": frozen.path.as_posix(), "ops": frozen.ops, "bytes": frozen.size})


def optimize_for_inference(context: typer.Context) -> None:
    """Remove what only training needs and fold batch norms, as TensorFlow's optimize_for_inference does."""
    from mobile_export.classic.optimize_for_inference import OptimizeForInference, optimize_for_inference

    flags = _classic(OptimizeForInference, context.args)
    _print_changes(optimize_for_inference(flags), flags)


def convert_memmapped(context: typer.Context) -> None:
    """Put large constants where TensorFlow maps them, as convert_graphdef_memmapped_format does, with its flags."""
    from mobile_export.classic.convert_memmapped import ConvertMemmapped, convert_memmapped

    flags = _classic(ConvertMemmapped, context.args)
    _print_changes(convert_memmapped(flags), flags)


def quantize_graph(context: typer.Context) -> None:
    """Make a graph's weights or calculations coarser, as TensorFlow's quantize_graph does, with its flags."""
    from mobile_export.classic.quantize_graph import QuantizeGraph, quantize_graph

    flags = _classic(QuantizeGraph, context.args)
    _print_changes(quantize_graph(flags), flags)


def transform_graph(context: typer.Context) -> None:
    """Rewrite a graph by a list of transforms, as TensorFlow's Graph Transform Tool does, with its flags."""
    from mobile_export.classic.transform_graph import TransformGraph, known_transforms, transform_graph

    flags = _classic(TransformGraph, context.args, known_transforms)
    _print_changes(transform_graph(flags), flags)


def _print_changes(changes: "Changes", flags: "Flags") -> None:
    for note in changes.notes:
        remark(f"note: {note}")
    if flags.format == "json":
        print_json(changes.as_json())
    else:
        say("\n".join(changes.lines()))


def _classic(kind: type["Kind"], arguments: list[str], more: Callable[[], str] = str) -> "Kind":
    """The flags of a classic tool, or its help, with what it has `more` to say."""
    from mobile_export.classic.flags import explain, parse

    if {"-h", "-help", "--help"} & set(arguments):
        say("\n".join(filter(None, [explain(kind), more()])))
        raise typer.Exit
    return parse(kind, arguments)
