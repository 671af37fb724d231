"""`transform-graph`: TensorFlow's Graph Transform Tool, as a command and as the Python call that it had.

What SavedModels need is imported for them alone: it takes longer than most transforms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mobile_export.classic.changes import Changes
from mobile_export.classic.files import check_output, read_graph, write_graph
from mobile_export.classic.flags import Flags, flag, listed
from mobile_export.errors import TargetError, nearest
from mobile_export.graph_transform_tool.run import transform
from mobile_export.graph_transform_tool.transforms import GRAPH_TRANSFORMS
from mobile_export.graphs.arity import refuse_malformed
from mobile_export.graphs.graph import Graph, node_name, short
from mobile_export.graphs.protos import GraphDef
from mobile_export.transform_string import parse_calls


@dataclass(frozen=True, kw_only=True)
class TransformGraph(Flags):
    """Rewrite a graph by a list of transforms."""

    in_graph: str = flag("", "GraphDef, binary or text.")
    input_saved_model_dir: str = flag("", "Folder of a SavedModel, whose variables are frozen; instead of --in_graph.")
    saved_model_tags: str = flag("serve", "Tags of the graph in SavedModels, read and written, separated by commas.")
    saved_model_signature: str = flag(
        "", "Signature of the SavedModels, read and written. Empty: serving_default, or the only one that is read."
    )
    out_graph: str = flag("", "File to write.")
    output_saved_model_dir: str = flag(
        "", "Folder to write a SavedModel for serving to; instead of --out_graph, or too."
    )
    saved_model_assets: str = flag("", "Files to copy into the SavedModel that is written, separated by commas.")
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
    try:
        calls = parse_calls(flags.transforms)
    except TargetError as error:
        raise TargetError(f"--transforms: {error}") from error
    if not calls:
        raise TargetError("--transforms: missing; name at least one transform")
    source, graph, signed = _read(flags)
    inputs = listed(flags.inputs) or [short(spec.tensor) for spec in graph.inputs]
    outputs = [short(spec.tensor) for spec in graph.outputs] or listed(flags.outputs)
    done = transform(graph, inputs, outputs, calls)
    path, after = Path(flags.out_graph).expanduser(), done.graph
    if flags.out_graph:
        write_graph(flags.out_graph, "out_graph", after, as_text=flags.output_as_text)
    if flags.output_saved_model_dir:
        path, after = _write_saved_model(flags, after, signed)
    return Changes.between(source, graph, path, after, [*_unknown(inputs, graph), *done.notes])


def _unknown(inputs: Sequence[str], graph: Graph) -> list[str]:
    """Of each input that is not there, that it is passed over, as the original does without a word."""
    return [
        f"the graph has no input {name!r}{nearest(name, graph.nodes)}; passed over"
        for name in inputs
        if node_name(name) not in graph.nodes
    ]


def _write_saved_model(flags: TransformGraph, graph: Graph, signed: Graph | None) -> tuple[Path, Graph]:
    from mobile_export.classic.to_saved_model import to_saved_model
    from mobile_export.formats.saved_model import SIGNATURE

    folder = Path(flags.output_saved_model_dir).expanduser()
    assets = {path.name: path for path in (Path(name).expanduser() for name in listed(flags.saved_model_assets))}
    tags, signature = listed(flags.saved_model_tags), flags.saved_model_signature or SIGNATURE
    return folder, to_saved_model(folder, graph, signed, assets, tags, signature)


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
    """Where the model is, its frozen graph, and for a SavedModel what of it the signature names."""
    if flags.in_graph:
        return Path(flags.in_graph).expanduser(), read_graph(flags.in_graph, "in_graph"), None
    folder = Path(flags.input_saved_model_dir).expanduser()
    from mobile_export.classic.from_saved_model import from_saved_model

    tags, signature = listed(flags.saved_model_tags), flags.saved_model_signature or None
    return folder, *from_saved_model(folder, tags, signature, listed(flags.outputs))


def known_transforms() -> str:
    """For the help: every transform, and what it can be given."""
    lines = [
        f"  {name}" + (f"({', '.join(unit.parameters)})" * bool(unit.parameters))
        for name, unit in GRAPH_TRANSFORMS.items()
    ]
    return "\n".join(["", "Transforms, each with ignore_errors besides:", *lines])


def transform_graph_def(
    input_graph_def: GraphDef, inputs: Sequence[str], outputs: Sequence[str], transforms: Sequence[str] | str
) -> GraphDef:
    """What `transforms` make of a GraphDef; it is not changed. The call that TensorFlow 1 had, under its own name.

    Args:
        inputs: names of nodes that are fed.
        outputs: names of nodes whose values are taken.
        transforms: one or more transforms a string, with their parameters.

    Raises:
        TargetError: a transform, or the value of a parameter, is not known.
        ModelError: this is no graph, or a transform cannot work on it.
        ConversionError: what a transform left is no graph.
    """
    texts = [transforms] if isinstance(transforms, str) else transforms
    calls = [call for text in texts for call in parse_calls(text)]
    graph = Graph.from_graph_def(input_graph_def)
    refuse_malformed(graph)
    return transform(graph, inputs, outputs, calls).graph.to_graph_def()
