"""`freeze-graph`: the variables of a graph become constants.

The result is that of TensorFlow's freeze_graph, node by node: what the output nodes need, in the order of the file. It
also comes where that tool fails: for resource and partitioned variables of a GraphDef, for graphs that this TensorFlow
cannot import, and whether files are in text or binary form. Nothing of a model is run, initializers aside.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobile_export.classic.files import check_output, write_graph
from mobile_export.classic.flags import Flags, flag, listed, listed_nodes
from mobile_export.errors import ModelError, TargetError, nearest
from mobile_export.graph_files.graph_file import read_graph, read_restore_op
from mobile_export.graphs.graph import Graph, TensorSpec, data_inputs, node_name
from mobile_export.graphs.ops import VARIABLES
from mobile_export.graphs.tensors import Array
from mobile_export.network.freeze import freeze
from mobile_export.session import Session
from mobile_export.sources import SOURCES
from mobile_export.sources.variables import Variables, open_checkpoint
from mobile_export.target import Model

_ASSIGNING = ("Assign", "AssignVariableOp")
_UNUSED = "Accepted, and not needed."


@dataclass(frozen=True, kw_only=True)
class FreezeGraph(Flags):
    """Turn the variables of a graph into constants, and keep what the output nodes need."""

    input_graph: str = flag("", "GraphDef (or MetaGraph), binary or text.")
    input_binary: bool = flag(False, f"Whether input files are binary. {_UNUSED} The files show it.")
    input_meta_graph: str = flag("", "MetaGraph (.meta), binary or text; instead of --input_graph.")
    input_saved_model_dir: str = flag("", "Folder of a SavedModel; instead of --input_graph and --input_checkpoint.")
    saved_model_tags: str = flag("serve", "Tags of the graph in the SavedModel, separated by commas.")
    input_checkpoint: str = flag(
        "", "Checkpoint with the weights, V1 or V2: its prefix, one of its files, or a folder."
    )
    checkpoint_version: int = flag(2, f"1 or 2. {_UNUSED} The files show it.")
    input_saver: str = flag("", "SaverDef, binary or text: which of the graph's savers wrote the checkpoint.")
    output_node_names: str = flag("", "Names of the output nodes, separated by commas.")
    output_graph: str = flag("", "File to write.")
    clear_devices: bool = flag(True, "Whether nodes forget the device that they were placed on.")
    variable_names_whitelist: str = flag(
        "", "Variables that become constants, separated by commas; others stay. Empty: all.", "variable_names_allowlist"
    )
    variable_names_blacklist: str = flag(
        "", "Variables that stay variables, separated by commas.", "variable_names_denylist"
    )
    initializer_nodes: str = flag("", "Nodes that give variables other values than the checkpoint's, such as an init.")
    restore_op_name: str = flag("save/restore_all", _UNUSED)
    filename_tensor_name: str = flag("save/Const:0", _UNUSED)


@dataclass(frozen=True)
class Frozen:
    """What was written.

    Attributes:
        path: where.
        ops: number of nodes.
        size: bytes.
    """

    path: Path
    ops: int
    size: int


def freeze_graph(flags: FreezeGraph) -> Frozen:
    """Freeze a model, as the flags say.

    Raises:
        TargetError: a flag is missing or wrong.
        ModelError: the model cannot be read, or has no such nodes.
        ConversionError: the result is too large for a GraphDef.
        OutputError: it cannot be written.
    """
    _check(flags)
    graph, read = _model(flags)
    outputs = _nodes(graph, flags.output_node_names, "output_node_names")
    initialized = _initialized(graph, _nodes(graph, flags.initializer_nodes, "initializer_nodes"), read)

    def value(variable: str) -> Array:
        return initialized[variable] if variable in initialized else read(variable)

    graph = freeze(_needed(graph, outputs), value, _kept(graph, flags))
    if flags.clear_devices:
        for node in graph.nodes.values():
            node.device = ""
    write_graph(flags.output_graph, "output_graph", graph)
    path = Path(flags.output_graph).expanduser()
    return Frozen(path, len(graph.nodes), path.stat().st_size)


def _check(flags: FreezeGraph) -> None:
    """Whether the flags say where everything is."""
    graphs = [f for f in ("input_graph", "input_meta_graph", "input_saved_model_dir") if getattr(flags, f)]
    if len(graphs) != 1:
        named = " and ".join(f"--{name}" for name in graphs) or "none"
        raise TargetError(
            f"name the model with one of --input_graph, --input_meta_graph, --input_saved_model_dir (there is {named})"
        )
    if not flags.input_checkpoint and not flags.input_saved_model_dir:
        raise TargetError("--input_checkpoint: missing; name the checkpoint with the weights")
    if not flags.output_node_names:
        raise TargetError("--output_node_names: missing; add it")
    check_output(flags.output_graph, "output_graph")
    if flags.checkpoint_version not in (1, 2):
        raise TargetError(f"--checkpoint_version: {flags.checkpoint_version} is neither 1 nor 2")


def _model(flags: FreezeGraph) -> tuple[Graph, Callable[[str], Array]]:
    """The graph, and the trained value of each of its variables."""
    if flags.input_saved_model_dir:
        tags = listed(flags.saved_model_tags)
        trained = SOURCES["saved_model"].read(
            Model(source=Path(flags.input_saved_model_dir).expanduser(), tags=tuple(tags))
        )
        return trained.graph, trained.value
    saved = read_graph(Path(flags.input_graph or flags.input_meta_graph).expanduser())
    restore = saved.restore
    if flags.input_saver:
        restore = read_restore_op(Path(flags.input_saver).expanduser())
        _check_known([restore], saved.graph.nodes, "--input_saver: the graph has no node")
    variables = Variables.of(saved.graph, open_checkpoint(Path(flags.input_checkpoint).expanduser()), restore)
    if not _variables(saved.graph):
        raise ModelError(f"{flags.input_graph or flags.input_meta_graph}: has no variables; it is frozen already")
    return saved.graph, variables.read


def _nodes(graph: Graph, value: str, flag_name: str) -> list[str]:
    """The nodes of which a flag has a list."""
    names = listed_nodes(value, flag_name)
    _check_known(names, graph.nodes, f"--{flag_name}: the graph has no node")
    return names


def _check_known(names: Sequence[str], known: Collection[str], problem: str) -> None:
    for name in names:
        if name not in known:
            raise ModelError(f"{problem} {name!r}{nearest(name, known)}")


def _variables(graph: Graph) -> list[str]:
    return [name for name, node in graph.nodes.items() if node.op in VARIABLES]


def _kept(graph: Graph, flags: FreezeGraph) -> set[str]:
    """The variables that stay variables."""
    variables = _variables(graph)
    allowed = listed(flags.variable_names_whitelist)
    denied = listed(flags.variable_names_blacklist)
    _check_known(allowed, variables, "--variable_names_whitelist: the graph has no variable")
    _check_known(denied, variables, "--variable_names_blacklist: the graph has no variable")
    return (set(variables) - set(allowed) if allowed else set()) | set(denied)


def _needed(graph: Graph, nodes: Sequence[str]) -> Graph:
    """What `nodes` need of `graph`, control edges included, and nothing else."""
    part = graph.copy()
    part.inputs, part.outputs = (), tuple(TensorSpec(name, f"{name}:0", "", None) for name in nodes)
    part.prune()
    return part


def _initialized(graph: Graph, initializers: Sequence[str], read: Callable[[str], Array]) -> Mapping[str, Array]:
    """The values that `initializers` assign to variables.

    Raises:
        ModelError: computing them needs an operator that is never run here.
    """
    running = graph.reachable(initializers)
    assigned = [data_inputs(graph.nodes[name]) for name in running if graph.nodes[name].op in _ASSIGNING]
    if not assigned:
        return {}
    values = [value for _, value in assigned]
    part = _needed(graph, [node_name(value) for value in values])
    for node in part.nodes.values():
        node.device = ""
        node.attr.pop("_class", None)  # what they name may be gone
    with Session(freeze(part, read)) as session:
        return dict(zip([node_name(name) for name, _ in assigned], session.evaluate(values), strict=True))
