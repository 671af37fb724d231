"""ONNX Runtime's own check of how well a file suits a phone's accelerator, asked for each node.

Its tool prints how many nodes an execution provider would take and in how many pieces; this takes the same numbers, and
which nodes are left.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mobile_export.errors import ConversionError
from mobile_export.formats.onnx_runner import load, session_options
from mobile_export.lint.delegate import Coverage
from mobile_export.lint.survey import Finding
from mobile_export.tools import import_tool

Check = Callable[[Any, Any, bool], Any]
"""The checker's module, a model, whether all sizes must be known → the checker's `PartitioningInfo`."""

_CHECKER = "onnxruntime.tools.mobile_helpers.usability_checker"


def survey(path: Path, check: Check, max_rank: int | None = None) -> Coverage:
    """What a provider leaves of the .onnx or .ort file at `path`, after the optimizations that come before it.

    Args:
        max_rank: dimensions that the provider takes at most; None where it says nothing of them.

    Raises:
        ConversionError: ONNX Runtime does not load the file, or ONNX cannot find out shapes in it.
    """
    model = _optimized(path)
    checker = import_tool(_CHECKER)
    try:
        info = check(checker, model, True)
        fixed = check(checker, model, False)
    except ValueError as error:
        raise ConversionError(f"{path}: ONNX Runtime's check cannot look at it: {error}") from error
    shapes = _shapes(model.graph)
    left = _left(model.graph, info)
    findings = tuple(
        Finding(node=_name(node), operator=_operator(node), why=_why(node, info, shapes, max_rank)) for node in left
    )
    notes = [_verdict(info), _with_fixed_sizes(left, _left(model.graph, fixed)), _unchecked(info)]
    return Coverage(
        source=f"the usability checker of onnxruntime {version('onnxruntime')}",
        operators=info.num_nodes,
        findings=findings,
        partitions=info.num_partitions,
        note="; ".join(filter(None, notes)),
    )


@lru_cache(maxsize=1)  # several providers look at the same file, one after the other
def _optimized(path: Path) -> Any:
    """The model as a provider is given it, with inferred shapes; weights that are large stay outside."""
    onnx = import_tool("onnx")
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as folder:
        written = Path(folder, "optimized.onnx")
        options = session_options(1, "ENABLE_BASIC")
        options.optimized_model_filepath = str(written)
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights")
        options.add_session_config_entry("session.disable_prepacking", "1")
        load(str(path), options, path.name)
        model = onnx.load(str(written), load_external_data=False)
    return onnx.shape_inference.infer_shapes(model)


def _left(graph: Any, info: Any) -> list[Any]:
    """Nodes that are in none of the provider's pieces; a node is known by what it writes, which nobody else does."""
    taken = {tuple(node.output) for group in info.supported_groups for node in group}
    return [node for node in _nodes(graph) if tuple(node.output) not in taken]


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _shapes(graph: Any) -> dict[str, tuple[int, ...]]:
    """Sizes by the name of a value, of subgraphs too; -1 where one is unknown."""
    found: dict[str, tuple[int, ...]] = {}
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.HasField("tensor_type") and value.type.tensor_type.HasField("shape"):
            sizes = value.type.tensor_type.shape.dim
            found[value.name] = tuple(s.dim_value if s.HasField("dim_value") else -1 for s in sizes)
    found |= {value.name: tuple(value.dims) for value in graph.initializer}
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found |= _shapes(attribute.g)
    return found


def _why(node: Any, info: Any, shapes: dict[str, tuple[int, ...]], max_rank: int | None) -> str:
    if not info.supported_ops_checker.is_op_supported(node):
        return "unsupported operator"
    inputs = [shapes.get(name) for name in node.input if name]
    if max_rank is not None and any(shape is not None and len(shape) > max_rank for shape in inputs):
        return f"more than {max_rank} dimensions"
    if any(shape is None or min(shape, default=1) < 1 for shape in inputs):
        return "dynamic shape"
    return "left out by the checker"


def _verdict(info: Any) -> str:
    if not info.num_nodes:
        return ""
    return {
        "YES": "worth it, says the checker",
        "MAYBE": "measure it on a phone, says the checker",
        "NO": "the CPU is likely faster, says the checker",
    }[info.suitability().name]


def _with_fixed_sizes(left: list[Any], fixed: list[Any]) -> str:
    if len(fixed) == len(left):
        return ""
    return f"with fixed input sizes it would leave {len(fixed) or 'none'}"


def _unchecked(info: Any) -> str:
    """Conditions of the operators that are taken, which the checker names and does not look at."""
    caveats = [caveat.split(":", 2) for caveat in info.supported_ops_checker.get_caveats()]
    named = ", ".join(sorted({name for _, name, _ in caveats}))
    return f"options are not looked at, and there are conditions on those of {named}" if named else ""


def _name(node: Any) -> str:
    return next((name for name in (node.name, *node.output) if name), "")


def _operator(node: Any) -> str:
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
