"""The kernels that a graph needs: an operator, the types of its attributes, and TensorFlow's class for them."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import AttrValue, NodeDef
from mobile_export.graphs.safety import all_nodes
from mobile_export.graphs.tensors import dtype_name
from mobile_export.session import import_tensorflow
from mobile_export.transforms.operators import definition_of

Types = tuple[tuple[str, tuple[str, ...]], ...]
"""The attributes of a node that are types, by name and sorted: one type each, or those of a list."""

REPLACED = frozenset({"AccumulateNV2"})
"""Operators in whose place TensorFlow puts others before it looks for kernels."""

_LABEL = "_kernel"  # the attribute by which a node asks for a kernel that is registered under a label
_CPU = "/device:CPU:0"


@dataclass(frozen=True)
class Need:
    """A kernel, and the first node that needs it.

    Attributes:
        kernel: the class that the installed TensorFlow has for it on CPUs; None without one, "" where it takes none.
        node: of a function's node, `function/node`.
        attributes: those that nodes carry, and the first node that does; without the ones that begin with `_`, which
            every TensorFlow takes.
    """

    op: str
    types: Types
    kernel: str | None
    node: str
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        listed = ", ".join(f"{name}={'+'.join(types)}" for name, types in self.types)
        return f"{self.op}<{listed}>" if listed else self.op


def needed(graph: Graph) -> list[Need]:
    """Every kernel of the graph and of the functions that its nodes call, sorted by operator and types.

    Calls of functions need none: TensorFlow puts the functions' nodes in their place.

    Raises:
        MissingToolError: TensorFlow is not installed.
    """
    functions = {function.signature.name for function in graph.library.function}
    found: dict[bytes, Need] = {}
    carried: dict[bytes, dict[str, str]] = defaultdict(dict)
    for node, where in all_nodes(graph):
        if node.op in functions:
            continue
        name = f"{where}/{node.name}" if where else node.name
        query = _query(node)
        key = query.SerializeToString(deterministic=True)
        if key not in found:
            kernel = "" if node.op in REPLACED else _kernel_class(key)
            found[key] = Need(node.op, _types(query), kernel, name, carried[key])
        for attr in node.attr:
            if not attr.startswith("_"):
                carried[key].setdefault(attr, name)
    return sorted(found.values(), key=lambda need: (need.op, need.types, need.kernel or ""))


def _query(node: NodeDef) -> NodeDef:
    """A node on the CPU with what of `node` chooses a kernel: its types, defaults included, and the label it asks for.

    Whatever device the node was trained on, a phone runs it on the CPU.
    """
    query = NodeDef(op=node.op, device=_CPU)
    definition = definition_of(node.op)
    defaults = {a.name: a.default_value for a in definition.attr} if definition is not None else {}
    for name, value in {**defaults, **node.attr}.items():
        if _dtypes(value) or name == _LABEL:
            query.attr[name].CopyFrom(value)
    return query


def _types(query: NodeDef) -> Types:
    return tuple(
        (name, tuple(map(dtype_name, _dtypes(query.attr[name])))) for name in sorted(query.attr) if name != _LABEL
    )


def _dtypes(value: AttrValue) -> list[int]:
    return [value.type] if value.HasField("type") else list(value.list.type)


def _kernel_class(query: bytes) -> str | None:
    import_tensorflow()
    from tensorflow.python.util._pywrap_kernel_registry import TryFindKernelClass

    return TryFindKernelClass(query).decode() or None
