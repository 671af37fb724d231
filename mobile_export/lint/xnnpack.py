"""XNNPACK, the delegate that LiteRT's interpreter has by default: the real one decides here what it takes."""

import contextlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mobile_export.errors import ConversionError
from mobile_export.formats.flatbuffer import map_file, read_model, write_model
from mobile_export.lint.delegate import Coverage, Phone
from mobile_export.lint.survey import Evidence
from mobile_export.lint.tflite_operators import findings_of, operators_of, writers_of
from mobile_export.lint.xnnpack_reasons import why
from mobile_export.tools import import_tool


class XNNPACK:
    """What stays with LiteRT's plain kernels, and why, as far as the operator itself shows it."""

    title = "XNNPACK (CPU)"
    formats: tuple[str, ...] = ("tflite",)
    platforms: tuple[Phone, ...] = ("android", "ios")
    evidence: Evidence = "measured"

    def survey(self, path: Path) -> Coverage:
        operators = operators_of(path)
        taken: list[bool] = []
        partitions = 0
        for nodes, delegates in _subgraphs(path):
            inside = _inside(nodes, delegates)
            taken += [index in inside for index in range(len(nodes))]
            partitions += len(delegates)
        writers = writers_of(operators)
        left = [operator for operator, is_in in zip(operators, taken, strict=True) if not is_in]
        return Coverage(
            source=f"ai-edge-litert {version('ai-edge-litert')} applied it to the file here",
            operators=len(operators),
            findings=findings_of(left, lambda operator: why(operator, writers)),
            partitions=partitions,
        )


_Node = Mapping[str, Any]
"""An operator as the interpreter describes it: `inputs` and `outputs` are indices of tensors."""


def _subgraphs(path: Path) -> list[tuple[list[_Node], list[_Node]]]:
    """Of each subgraph: its operators, and the delegate's pieces that the interpreter runs for some of them.

    The interpreter shows the main subgraph alone. Others are put in its place, in a copy of the file.
    """
    model = read_model(map_file(path))
    counts = [len(subgraph.operators) for subgraph in model.subgraphs]
    found = []
    for index, count in enumerate(counts):
        main = model.subgraphs[0]
        if index:
            model.subgraphs[0], model.signatureDefs = model.subgraphs[index], []
        try:
            nodes = _nodes({"model_content": write_model(model)} if index else {"model_path": str(path)})
        except ConversionError as error:
            raise ConversionError(f"{path}: {error}") from error
        found.append((nodes[:count], nodes[count:]))
        model.subgraphs[0] = main
    return found


def _nodes(file: Mapping[str, Any]) -> list[_Node]:
    """What an interpreter has, once its delegate has been applied: the file's operators, then the delegate's pieces.

    Raises:
        ConversionError: it does not tell.
    """
    interpreter = import_tool("ai_edge_litert.interpreter").Interpreter(**file, num_threads=1)
    # the delegate is applied first; operators that cannot be prepared without the app's sizes, or without the Flex
    # delegate, fail after that
    with contextlib.suppress(ValueError, RuntimeError):
        interpreter.allocate_tensors()
    try:
        found: list[_Node] = interpreter._get_ops_details()  # as TensorFlow's own tools ask it
    except ValueError as error:  # names that are no UTF-8 among them
        raise ConversionError(f"LiteRT does not describe the operators: {error}") from error
    return found


def _inside(nodes: Sequence[_Node], delegates: Sequence[_Node]) -> set[int]:
    """Places of the operators that are computed by a piece: those from which its results come, up to what it reads."""
    writers = {int(tensor): place for place, node in enumerate(nodes) for tensor in node["outputs"]}
    found: set[int] = set()
    for delegate in delegates:
        entries = set(map(int, delegate["inputs"]))
        wanted = list(map(int, delegate["outputs"]))
        while wanted:
            place = writers.get(wanted.pop())
            if place is not None and place not in found:
                found.add(place)
                wanted += [int(tensor) for tensor in nodes[place]["inputs"] if int(tensor) not in entries]
    return found
