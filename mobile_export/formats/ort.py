"""ONNX Runtime's own format, for apps whose ONNX Runtime is built with only the operators that their models need.

Such a minimal build does not optimize: what is optimized is in the file. Layouts that only some processors have are
left out, and constants stay as narrow as they are stored.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobile_export.formats.onnx_runner import load, serialize, session_options
from mobile_export.formats.onnx_stages import OnnxModels
from mobile_export.formats.ort_canonical import canonical, ort_tool, read_session
from mobile_export.tools import import_tool

if TYPE_CHECKING:
    from onnx import ModelProto

_LEFT_OUT = ("ConstantFolding", "NchwcTransformer")


class ORT(OnnxModels):
    """One .ort file; like ONNX in everything else."""

    suffix = ".ort"

    def stored(self, path: Path) -> dict[str, int]:
        from onnx import helper

        graph = read_session(path.read_bytes(), path.name).Model().Graph()
        found: Counter[str] = Counter()
        for index in range(graph.InitializersLength()):
            tensor = graph.Initializers(index)
            sizes = [tensor.Dims(axis) for axis in range(tensor.DimsLength())]
            found[str(helper.tensor_dtype_to_np_dtype(tensor.DataType()))] += math.prod(sizes)
        return dict(found)

    def save(self, model: "ModelProto", path: Path) -> None:
        """Let ONNX Runtime optimize and write it."""
        levels = import_tool("onnxruntime").GraphOptimizationLevel
        level = "ENABLE_LAYOUT" if hasattr(levels, "ORT_ENABLE_LAYOUT") else "ENABLE_ALL"  # older versions' name of it
        options = session_options(1, level)
        options.optimized_model_filepath = str(path)
        options.add_session_config_entry("session.save_model_format", "ORT")
        options.add_session_config_entry("session.disable_prepacking", "1")
        load(serialize(model), options, "the model", without=_LEFT_OUT)
        path.write_bytes(canonical(path.read_bytes()))


def required_operators(paths: Iterable[Path]) -> str:
    """The operators and element types that .ort files need, as ONNX Runtime's build reads them.

    Raises:
        ConversionError: one of them is no such file.
    """
    listed = sorted(paths)
    types = ort_tool().OperatorTypeUsageManager()
    needed: dict[tuple[str, int], set[str]] = {}
    for path in listed:
        _collect(read_session(path.read_bytes(), path.name).Model().Graph(), {}, needed, types)
    lines = [f"# - {re.sub(r'[^ -~]', '?', path.name)}" for path in listed]
    for (domain, version), operators in sorted(needed.items()):
        entries = [f"{operator}{types.get_config_entry(domain, operator) or ''}" for operator in sorted(operators)]
        lines.append(f"{domain};{version};{','.join(entries)}")
    return "\n".join(["# Operators of these models, for a reduced build of ONNX Runtime:", *lines, ""])


def _collect(graph: Any, outer: Mapping[bytes, Any], needed: dict[tuple[str, int], set[str]], types: Any) -> None:
    """Add the operators of a graph and its bodies to `needed`, and what they compute on to `types`.

    Args:
        outer: the types of the tensors that the graph may read from around it.
    """
    arguments = map(graph.NodeArgs, range(graph.NodeArgsLength()))
    known = {**outer, **{argument.Name(): argument.Type() for argument in arguments}}
    for node in map(graph.Nodes, range(graph.NodesLength())):
        domain = node.Domain().decode() or "ai.onnx"
        needed.setdefault((domain, node.SinceVersion()), set()).add(node.OpType().decode())
        types.process_node(node, known)
        for attribute in map(node.Attributes, range(node.AttributesLength())):
            if (body := attribute.G()) is not None:
                _collect(body, known, needed, types)
