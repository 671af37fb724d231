"""A model as its training left it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mobile_export.graphs.graph import Graph
from mobile_export.graphs.tensors import Array


@dataclass(frozen=True)
class Trained:
    """What every form of model is read into.

    Attributes:
        graph: the whole graph as it was saved, training included. Its inputs and outputs are those of the model's own
            signature, under the signature's names; none where the form has no signature.
        value: the trained value of a variable, by the name of its node; raises ModelError where there is none.
        notes: what people should know of how the model was read, a sentence each.
        tables: files of words, one a line, that lookup tables are filled from, by the names of the tables' nodes.
    """

    graph: Graph
    value: Callable[[str], Array]
    notes: tuple[str, ...] = ()
    tables: Mapping[str, Path] = field(default_factory=dict)
