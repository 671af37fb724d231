"""What TensorFlow knows of the shapes in a graph without running it."""

from collections.abc import Iterator
from contextlib import contextmanager

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.ops import RUNNABLE
from mobile_export.graphs.safety import refuse_unlisted
from mobile_export.session import Session


@contextmanager
def inferred(graph: Graph) -> Iterator[tuple[Session, Graph]]:
    """A session that knows static shapes, and the part of `graph` for which it does.

    Operators that are not listed are left out with all that depends on them: inference runs kernels, too.
    """
    part = graph.copy()
    part.inputs = part.outputs = ()
    try:
        refuse_unlisted(part, RUNNABLE)
    except ModelError as error:
        part.remove(part.downstream(error.nodes))
    with Session(part) as session:
        yield session, part
