"""TF2 object checkpoints: values of a Python program's variables, named by how its objects hold each other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mobile_export.checkpoints.bundle import Bundle
from mobile_export.checkpoints.prefix import checkpoint_file, find_checkpoint, is_v2
from mobile_export.checkpoints.table import Table
from mobile_export.errors import ModelError
from mobile_export.graphs.protos import DecodeError
from mobile_export.network.trained import Trained
from mobile_export.session import import_tensorflow
from mobile_export.sources.builder import Blank, build, listed
from mobile_export.sources.concrete import brief, is_keras, is_signed, trace
from mobile_export.target import Model

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The entry that only these checkpoints have: which object holds which, as a message."""

_DEEPEST = 3
"""How far below the checkpoint's root a model is looked for."""

_MOST_PLACES = 64
"""Of the objects at one depth, how many are tried."""


class ObjectCheckpoint:
    """A TF2 object checkpoint (`ckpt-1.index`), or a folder of them, with a builder."""

    keys = ("builder",)
    tools = ("h5py", "keras", "tf-keras")

    def detect(self, path: Path) -> str | None:
        """By the entry that holds its object graph; a TF1 checkpoint has a `.meta`."""
        try:
            prefix = find_checkpoint(path)
        except ModelError:
            return None  # no V2 checkpoint at all; whoever knows the form says what is wrong
        if not is_v2(prefix) or checkpoint_file(prefix, ".meta").is_file():
            return None
        index = checkpoint_file(prefix, ".index")
        found = Table.open(index, "the index of a V2 checkpoint").find(OBJECT_GRAPH.encode())
        return None if found is None else f"{index.name} has an object graph, and there is no .meta beside it"

    def files(self, model: Model) -> list[Path]:
        """The `.index` and every data shard."""
        return list(Bundle.open(find_checkpoint(model.source)).files)

    def read(self, model: Model) -> Trained:
        """The builder's model, with the checkpoint's values in all of its variables."""
        prefix = find_checkpoint(model.source)
        bundle = Bundle.open(prefix)
        if model.builder is None:
            raise ModelError(
                f'{bundle.index}: holds variables and no model; add builder = "module:function" to [model], a '
                "function without arguments that returns the model"
            )
        built, maker = build(model.builder), f"model.builder: {model.builder.module}:{model.builder.name}"
        network = _network(built, maker)
        bundle.check_shapes()
        root = str(bundle.index).removesuffix(".index")
        if network is built:
            _restore(network, root, _object_graph(bundle))
        else:
            _check(_left_by(Blank(network), built, root), root)
        return trace(network, maker)


def _network(built: Any, maker: str) -> Any:
    """What is exported of what a builder made: itself, or the model in it."""
    if _is_network(built):
        return built
    held = {name: part for name, part in vars(built).items() if _is_network(part)} if hasattr(built, "__dict__") else {}
    if len(held) == 1 or "model" in held:
        return held.get("model") or next(iter(held.values()))
    raise ModelError(
        f"{maker} returned a {type(built).__name__}, in which {len(held) or 'no'} models are; return a Keras model, a "
        "tf.Module whose __call__ is a tf.function with an input_signature, or tf.train.Checkpoint(model=…)"
    )


def _is_network(part: Any) -> bool:
    return is_keras(part) or (hasattr(part, "variables") and is_signed(part))


def _object_graph(bundle: Bundle) -> Any:
    """Which object holds which in the checkpoint, as a TrackableObjectGraph whose numbers are in range."""
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    try:
        graph = TrackableObjectGraph.FromString(bundle.read_string(OBJECT_GRAPH))
    except DecodeError as error:
        raise ModelError(f"{bundle.index}: its object graph is damaged ({brief(error)}); copy it again") from error
    named = [child.node_id for node in graph.nodes for child in node.children]
    named += [
        n
        for node in graph.nodes
        for s in node.slot_variables
        for n in (s.original_variable_node_id, s.slot_variable_node_id)
    ]
    if not graph.nodes or any(not 0 <= number < len(graph.nodes) for number in named):
        raise ModelError(f"{bundle.index}: its object graph is damaged (an object is missing); copy it again")
    return graph


def _places(graph: Any) -> Iterator[list[tuple[str, ...]]]:
    """Ways from the checkpoint's root to objects that hold others, the shortest to each, by their lengths."""
    seen = {0}
    level: dict[int, tuple[str, ...]] = {0: ()}
    for _ in range(_DEEPEST + 1):
        yield list(level.values())[:_MOST_PLACES]
        below: dict[int, tuple[str, ...]] = {}
        for number, path in level.items():
            for child in graph.nodes[number].children:
                if child.node_id not in seen and graph.nodes[child.node_id].children:
                    seen.add(child.node_id)
                    below[child.node_id] = (*path, child.local_name)
        level = below


def _restore(network: Any, root: str, graph: Any) -> None:
    """Give `network` the values of the one object of the checkpoint that has them all."""
    tf, blank = import_tensorflow(), Blank(network)

    def left_at(path: tuple[str, ...]) -> list[str]:
        holder = tf.train.Checkpoint(network) if not path else network
        for name in reversed(path):
            holder = tf.train.Checkpoint(**{name: holder})
        return _left_by(blank, holder, root)

    nearest: list[str] | None = None
    for paths in _places(graph):
        left = {path: left_at(path) for path in paths}
        fitting = [path for path in paths if not left[path]]
        if len(fitting) > 1:
            named = " and ".join(repr("/".join(path)) for path in fitting[:3])
            raise ModelError(
                f"{root}.index: {named} both fit the builder's model; let the builder return "
                f"tf.train.Checkpoint({fitting[0][-1]}=model)"
            )
        if fitting:
            left_at(fitting[0])  # others were tried behind it
            return
        nearest = min([*left.values(), *([nearest] if nearest else [])], key=len, default=None)
    _check(nearest or [], root)


def _left_by(blank: Blank, holder: Any, root: str) -> list[str]:
    """Variables that stay without a value when `holder` takes those of the checkpoint."""
    tf = import_tensorflow()
    blank.mark()
    try:
        holder.read(root).expect_partial()
    except (ValueError, TypeError, AssertionError, LookupError, tf.errors.OpError) as error:
        return [f"{name} ({brief(error)})" for name in blank.left()]
    return list(blank.left())


def _check(left: list[str], root: str) -> None:
    if left:
        raise ModelError(
            f"{root}.index: has no value for {listed(left)} of the builder's model; take the checkpoint of this very "
            "model, and the Keras (keras, tf_keras) that wrote it"
        )
