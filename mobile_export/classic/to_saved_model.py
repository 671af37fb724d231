"""Back to a servable: what a classic tool left of a graph becomes a SavedModel that TensorFlow Serving loads."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mobile_export.errors import ModelError, OutputError
from mobile_export.formats.saved_model import SIGNATURE, TAGS, write_saved_model
from mobile_export.graphs.graph import Graph, TensorSpec, canonical, node_name
from mobile_export.graphs.names import identifiers, telling_part
from mobile_export.graphs.ops import VARIABLES
from mobile_export.network.signature import declared, describe, input_spec
from mobile_export.transforms.strip import strip

_TABLE = re.compile(r"\w*HashTable\w*")


def to_saved_model(
    folder: Path,
    graph: Graph,
    signed: Graph | None = None,
    assets: Mapping[str, Path] | None = None,
    tags: Sequence[str] = TAGS,
    signature: str = SIGNATURE,
) -> Graph:
    """Write the SavedModel of a frozen graph to `folder`, whole or not at all; returns the graph in it.

    Args:
        folder: is not there yet, or is empty.
        graph: only what its outputs need of it, behind its inputs, is written.
        signed: the model as it was before, whose signature's names are taken for the same tensors.
        assets: files to copy into it, by the names that they get there.

    Raises:
        ModelError: the graph has variables or tables left, the type of an input or output is not known, or an asset is
            missing.
        ConversionError: it is larger than protobuf reads.
        OutputError: nothing can be written there.
    """
    check_vacant(folder)
    missing = [file for file in (assets or {}).values() if not file.is_file()]
    if missing:
        raise ModelError(f"{missing[0]}: no such file, to be an asset of the servable; name another")
    made = servable(graph, signed)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as unfinished:
            written = Path(unfinished, folder.name)
            contents = {name: file.read_bytes() for name, file in (assets or {}).items()}
            write_saved_model(written, made, contents, tags, signature)
            if folder.is_dir():
                folder.rmdir()
            written.rename(folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}; choose another folder") from error
    return made


def check_vacant(folder: Path) -> None:
    """Refuse a folder in which something lies, before any work is done for it.

    Raises:
        OutputError: it is no empty folder.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise OutputError(f"{folder}: is there already, and is not overwritten; remove it, or choose another folder")


def servable(graph: Graph, signed: Graph | None = None) -> Graph:
    """What the outputs of `graph` need of it, with a public name, a dtype and a shape for each input and output.

    Names come from the signature of `signed`, for tensors that have one there; else they are the last part of the
    node's name that says something: `head/predictions/class_ids` becomes `class_ids`. Inputs and outputs that have a
    dtype are taken as they are.

    Raises:
        ModelError: variables or tables are left, which nothing fills, or a type cannot be told.
    """
    known = (signed.inputs, signed.outputs) if signed else ((), ())
    inputs, outputs = _named(graph, known)
    inputs = [spec if spec.dtype else input_spec(graph, spec.name, spec.tensor) for spec in inputs]
    _check_typed(inputs)
    part = strip(replace(graph, inputs=tuple(inputs), outputs=tuple(outputs)))
    _refuse_unfilled(part)
    untyped = [spec for spec in part.outputs if not spec.dtype]
    types = {spec.name: spec for spec in _typed(part, untyped, known[1])} if untyped else {}
    part.outputs = tuple(types.get(spec.name, spec) for spec in part.outputs)
    _check_typed(part.outputs)
    return part


def _named(graph: Graph, known: Sequence[Sequence[TensorSpec]]) -> tuple[list[TensorSpec], list[TensorSpec]]:
    """Inputs and outputs under their public names, no two alike."""
    names = [{spec.tensor: spec.name for spec in specs} for specs in known]
    asked = [
        named.get(canonical(spec.tensor if spec.dtype else spec.name))  # a transform may have renamed the node
        or (spec.name if spec.dtype else telling_part(graph.nodes[node_name(spec.tensor)]))
        for named, specs in zip(names, (graph.inputs, graph.outputs), strict=True)
        for spec in specs
    ]
    given = iter(identifiers(asked))
    return (
        [replace(spec, name=next(given)) for spec in graph.inputs],
        [replace(spec, name=next(given)) for spec in graph.outputs],
    )


def _typed(part: Graph, specs: Sequence[TensorSpec], known: Sequence[TensorSpec]) -> list[TensorSpec]:
    """`specs` as TensorFlow infers them; where it may not look at the graph, as they were signed or are declared."""
    try:
        return list(describe(part, [spec.tensor for spec in specs], [spec.name for spec in specs]))
    except ModelError:
        types = {spec.tensor: spec for spec in known}
        return [
            replace(types[spec.tensor], name=spec.name)
            if spec.tensor in types
            else declared(part, spec.name, spec.tensor)
            for spec in specs
        ]


def _check_typed(specs: Sequence[TensorSpec]) -> None:
    for spec in specs:
        if not spec.dtype:
            raise ModelError(f"the type of {spec.tensor!r} is not known, and a signature needs it; name another tensor")


def _refuse_unfilled(graph: Graph) -> None:
    for name, node in graph.nodes.items():
        if node.op in VARIABLES:
            raise ModelError(f"{name!r} is a variable still, and a servable here has none; freeze the graph first")
        if _TABLE.fullmatch(node.op):
            raise ModelError(
                f"{name!r} is a lookup table, which nothing would fill in the servable; name outputs before it"
            )
