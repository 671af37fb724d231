"""`transform-graph`: TensorFlow's Graph Transform Tool, as a command and as the Python call that it had."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mobile_export.classic.changes import Changes
from mobile_export.classic.files import check_output, read_graph, write_graph
from mobile_export.classic.flags import Flags, flag, listed
from mobile_export.errors import TargetError
from mobile_export.graph import Graph
from mobile_export.graph_transform_tool.run import transform
from mobile_export.protos import GraphDef
from mobile_export.transform_string import parse_calls


@dataclass(frozen=True, kw_only=True)
class TransformGraph(Flags):
    """Rewrite a graph by a list of transforms."""

    in_graph: str = flag("", "GraphDef, binary or text.")
    out_graph: str = flag("", "File to write.")
    inputs: str = flag("", "Nodes that the app feeds, separated by commas.")
    outputs: str = flag("", "Nodes whose values the app takes, separated by commas.")
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
    check_output(flags.out_graph, "out_graph")
    calls = parse_calls(flags.transforms)
    if not calls:
        raise TargetError("--transforms: missing; name at least one transform")
    graph = read_graph(flags.in_graph, "in_graph")
    done = transform(graph, listed(flags.inputs), listed(flags.outputs), calls)
    path = write_graph(flags.out_graph, "out_graph", done.graph, as_text=flags.output_as_text)
    return Changes.between(Path(flags.in_graph).expanduser(), graph, path, done.graph, done.notes)


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
    return transform(Graph.from_graph_def(input_graph_def), inputs, outputs, calls).graph.to_graph_def()
