"""What an error about nodes says besides: where to cut them off, and the lines for the target."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mobile_export.errors import ConversionError, ModelError
from mobile_export.graphs.cuts import Cut, cut, unportable
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.graphs.ops import DECODERS, LOOKUPS, RANDOM, READERS, RUNNABLE, VARIABLES
from mobile_export.graphs.protos import NodeDef
from mobile_export.session import Session

_INFERRED = RUNNABLE | VARIABLES | READERS | DECODERS | LOOKUPS
_STRING = 7  # TensorFlow's number


@contextmanager
def naming_cuts(graph: Graph, labels: Mapping[str, Path] | None = None) -> Iterator[None]:
    """Give an error that knows its nodes the place where to cut them off `graph`.

    Args:
        labels: files of words, by lookup table.

    Raises:
        ModelError, ConversionError: what the block raised; the cut follows the reason.
    """
    try:
        yield
    except (ModelError, ConversionError) as error:
        if not graph.nodes.keys() & set(error.nodes):
            raise
        raise type(error)(f"{error}: {where_to_cut(graph, error.nodes, labels)}", error.nodes) from error


def where_to_cut(graph: Graph, nodes: Sequence[str], labels: Mapping[str, Path] | None = None) -> str:
    """The end of a sentence: where to cut `nodes` off, with types and shapes, and the lines for the target.

    Text, tables and decoders, which nothing holds, go with them, so that one cut is enough.

    Args:
        labels: files of words, by lookup table.
    """
    unheld = [obstacle.node for obstacle in unportable(graph) if obstacle.op not in RANDOM]
    return described(graph, cut(graph, [*nodes, *unheld])).sentence(labels)


def described(graph: Graph, found: Cut) -> Cut:
    """`found` with types and shapes, as far as TensorFlow infers them; nothing is run."""
    return found.described(lambda tensors: [_described(graph, tensor) for tensor in tensors])


def _described(graph: Graph, tensor: str) -> TensorSpec:
    unknown = TensorSpec(tensor, tensor, "", None)
    part = graph.copy()
    part.inputs, part.outputs = (), (unknown,)
    part.prune()
    for node in part.nodes.values():
        _empty_text(node)
    try:
        with Session(part, _INFERRED) as session:
            return TensorSpec(tensor, tensor, session.dtype(tensor), session.shape(tensor))
    except ModelError:  # an operator among those to be cut off, whose types nobody knows here
        return unknown


def _empty_text(node: NodeDef) -> None:
    """Make a constant text a placeholder: shape inference would run a decoder that reads one."""
    if node.op == "Const" and node.attr["dtype"].type == _STRING:
        shape = node.attr["value"].tensor.tensor_shape
        node.op = "Placeholder"
        node.attr["shape"].shape.CopyFrom(shape)
        node.attr.pop("value", None)
