"""`transform-graph`: TensorFlow's Graph Transform Tool, as a command and as the Python call that it had.

What SavedModels need is imported for them alone: it takes longer than most transforms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mobile_export.arity import refuse_wrong_arity
from mobile_export.classic.changes import Changes
from mobile_export.classic.files import check_output, read_graph, write_graph
from mobile_export.classic.flags import Flags, flag, listed
from mobile_export.errors import TargetError
from mobile_export.graph import Graph, short
from mobile_export.graph_transform_tool.run import transform
from mobile_export.graph_transform_tool.transforms import GRAPH_TRANSFORMS
from mobile_export.protos import GraphDef
from mobile_export.transform_string import parse_calls


@dataclass(frozen=True, kw_only=True)
class TransformGraph(Flags):
    """Rewrite a graph by a list of transforms."""

    in_graph: str = flag("", "GraphDef, binary or text.")
    input_saved_model_dir: str = flag("", "Folder of a SavedModel, whose variables are frozen; instead of --in_graph.")
    saved_model_tags: str = flag("serve", "Tags of the graph in the SavedModel, separated by commas.")
    out_graph: str = flag("", "File to write.")
    output_saved_model_dir: str = flag(
        "", "Folder to write a SavedModel for serving to; instead of --out_graph, or too."
    )
    inputs: str = flag("", "Nodes that the app feeds, separated by commas. Of a SavedModel: as its signature says.")
    outputs: str = flag(
        "", "Nodes whose values the app takes, separated by commas. Of a SavedModel: as its signature says."
    )
    transforms: str = flag("", "Transforms in their order: 'strip_unused_nodes fold_constants(ignore_errors=true)'.")
    output_as_text: bool = flag(False, "Whether the file to write is text.")


def transform_graph(flags: TransformGraph) -> Changes:
    """Transform the graph in a file, as the flags say.

    Raises:
        TargetError: a flag is missing or wrong, or a transform is not known.
        ModelError: the graph cannot be read, or a transform cannot work on it.
        ConversionError: the result is no graph, or too large.
        OutputError: it cannot be written.
    """
    _check(flags)
    calls = parse_calls(flags.transforms)
    if not calls:
        raise TargetError("--transforms: missing; name at least one transform")
    source, graph, signed = _read(flags)
    inputs, outputs = (
        listed(named) or [short(spec.tensor) for spec in signature]
        for named, signature in ((flags.inputs, graph.inputs), (flags.outputs, graph.outputs))
    )
    done = transform(graph, inputs, outputs, calls)
    written = []
    if flags.out_graph:
        written.append(write_graph(flags.out_graph, "out_graph", done.graph, as_text=flags.output_as_text))
    if flags.output_saved_model_dir:
        from mobile_export.classic.to_saved_model import to_saved_model

        written.append(Path(flags.output_saved_model_dir).expanduser())
        to_saved_model(written[-1], done.graph, signed)
    return Changes.between(source, graph, written[-1], done.graph, done.notes)


def _check(flags: TransformGraph) -> None:
    """Whether the flags say where everything is."""
    if bool(flags.in_graph) == bool(flags.input_saved_model_dir):
        raise TargetError("name the model with one of --in_graph, --input_saved_model_dir")
    if flags.output_saved_model_dir:
        from mobile_export.classic.to_saved_model import check_vacant

        check_vacant(Path(flags.output_saved_model_dir).expanduser())
    if flags.out_graph or not flags.output_saved_model_dir:
        check_output(flags.out_graph, "out_graph")


def _read(flags: TransformGraph) -> tuple[Path, Graph, Graph | None]:
    """Where the model is, its frozen graph, and for a SavedModel the one that has its signature."""
    if flags.in_graph:
        return Path(flags.in_graph).expanduser(), read_graph(flags.in_graph, "in_graph"), None
    folder = Path(flags.input_saved_model_dir).expanduser()
    from mobile_export.classic.from_saved_model import from_saved_model

    return folder, *from_saved_model(folder, listed(flags.saved_model_tags), listed(flags.outputs))


def known_transforms() -> str:
    """For the help: every transform, and what it can be given."""
    lines = [
        f"  {name}" + (f"({', '.join(unit.parameters)})" * bool(unit.parameters))
        for name, unit in GRAPH_TRANSFORMS.items()
    ]
    return "\n".join(["", "Transforms, each with ignore_errors besides:", *lines])


def transform_graph_def(
    input_graph_def: GraphDef, inputs: Sequence[str], outputs: Sequence[str], transforms: Sequence[str]
) -> GraphDef:
    """What `transforms` make of a GraphDef; it is not changed. The call that TensorFlow 1 had, under its own name.

    Args:
        inputs: names of nodes that are fed.
        outputs: names of nodes whose values are taken.
        transforms: one or more transforms a string, with their parameters.

    Raises:
        TargetError: a transform, or the value of a parameter, is not known.
        ModelError: a transform cannot work on this graph.
        ConversionError: what a transform left is no graph.
    """
    calls = [call for text in transforms for call in parse_calls(text)]
    graph = Graph.from_graph_def(input_graph_def)
    refuse_wrong_arity(graph)
    return transform(graph, inputs, outputs, calls).graph.to_graph_def()
