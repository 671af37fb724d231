"""Running a Graph in TensorFlow: reference answers, constant folding, shape inference.

Large constants are fed, not serialized: the session's graph holds placeholders in their stead, so running a 1 GB model
costs no copy of it. The session optimizes nothing, so that answers do not depend on what TensorFlow felt like fusing.
"""

import contextlib
import functools
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mobile_export.errors import MissingToolError, ModelError
from mobile_export.graphs.frames import refuse_broken_loops
from mobile_export.graphs.graph import Graph, canonical
from mobile_export.graphs.ops import RUNNABLE
from mobile_export.graphs.package import ALIGNMENT
from mobile_export.graphs.protos import GraphDef
from mobile_export.graphs.safety import refuse_unlisted
from mobile_export.graphs.tensors import Array, dtype_name
from mobile_export.runner import Edge

FED_BYTES = 4096
"""Constants above this size are fed; below, they are part of the graph, since shape inference reads them."""

RUN_SECONDS = 600
"""How long a single run may take; only a loop that never ends takes longer."""
PROBE_SECONDS = 60
"""The same for a run of a few samples, which is the first that a graph sees."""


def import_tensorflow() -> Any:
    """TensorFlow, quiet, and with kernels whose rounding does not depend on the CPU's extras.

    Raises:
        MissingToolError: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # whatever the user's is: it would change bytes
    os.environ["KERAS_BACKEND"] = "tensorflow"  # TensorFlow imports Keras, which asks for it once, here
    try:
        with _silence() if "tensorflow" not in sys.modules else contextlib.nullcontext():
            import tensorflow
    except ImportError as error:
        raise MissingToolError(
            f'TensorFlow cannot be imported ({error}); run: pip install "mobile-export[convert]"'
        ) from error
    tensorflow.get_logger().setLevel("ERROR")
    return tensorflow


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """TensorFlow's C++ greets on stderr before any log level is read."""
    nothing, stderr = os.open(os.devnull, os.O_WRONLY), os.dup(2)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nothing)


_HEADING = re.compile(r"Graph execution error:|Detected at node|Node: |\d+ root error|Original stack trace|\[\[")
_NODE = re.compile(r"\{\{node (.+?)\}\}")
_FUNCTION = re.compile(r"\{\{function_node .+?\}\} *|^ *\(\d+\) *[A-Z_]+: *", re.MULTILINE)
# How TensorFlow frames its errors: lines that say nothing, the node at fault, and what stands before the text.


class Session:
    """A Graph loaded in TensorFlow; a `Runner` over its public inputs and outputs."""

    def __init__(
        self, graph: Graph, allowed: frozenset[str] = RUNNABLE, seconds: int | None = None, threads: int | None = None
    ) -> None:
        """Load `graph`.

        Args:
            seconds: how long one run may take; default: `RUN_SECONDS`.
            threads: in which kernels compute; default: one, since they sum in another order in several. A process's
                first session decides for all of them.

        Raises:
            ModelError: it uses an operator outside of `allowed`, has a broken loop, or TensorFlow refuses it.
        """
        refuse_unlisted(graph, allowed)
        refuse_broken_loops(graph)
        self._graph = graph
        self._seconds = RUN_SECONDS if seconds is None else seconds
        self._threads = threads or 1
        self._tf = import_tensorflow()
        self._large = {
            name: array for name, array in graph.constants.items() if array.nbytes > FED_BYTES and _is_free(graph, name)
        }
        self._tf_graph = self._tf.Graph()
        with self._tf_graph.as_default():
            try:
                self._tf.import_graph_def(_with_placeholders(graph, self._large), name="")
            except (ValueError, TypeError, self._tf.errors.OpError) as error:
                raise ModelError(f"TensorFlow does not accept the graph: {_first_line(error)}") from error
        self._session = self._tf.compat.v1.Session(graph=self._tf_graph, config=self._config())
        self._callables: dict[tuple[str, ...], Any] = {}

    @functools.cached_property
    def _fed(self) -> dict[str, Array]:
        """Large constants by their tensors, as TensorFlow takes them without copying them at each run."""
        return {f"{name}:0": _aligned(array) for name, array in self._large.items()}

    @property
    def inputs(self) -> tuple[Edge, ...]:
        return tuple(Edge(spec.name, spec.dtype, spec.shape) for spec in self._graph.inputs)

    @property
    def outputs(self) -> tuple[Edge, ...]:
        return tuple(Edge(spec.name, spec.dtype, spec.shape) for spec in self._graph.outputs)

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        answers = self.evaluate(
            [spec.tensor for spec in self._graph.outputs],
            {spec.tensor: feeds[spec.name] for spec in self._graph.inputs},
        )
        return {spec.name: answer for spec, answer in zip(self._graph.outputs, answers, strict=True)}

    def evaluate(self, tensors: Sequence[str], feeds: Mapping[str, Array] | None = None) -> list[Array]:
        """Values of `tensors`; `feeds` maps tensors to what they hold.

        Raises:
            ModelError: a kernel refuses, naming its node, or nothing comes back in time.
        """
        fed = {**self._fed, **{canonical(name): value for name, value in (feeds or {}).items()}}
        key = (*tensors, "", *fed)
        if key not in self._callables:
            self._callables[key] = self._callable(tensors, fed)
        try:
            return [np.asarray(value) for value in self._callables[key](*fed.values())]
        except self._tf.errors.DeadlineExceededError as error:
            raise ModelError(
                f"the graph has no answer after {self._seconds} s in TensorFlow; does one of its loops ever end?"
            ) from error
        except (ValueError, TypeError, self._tf.errors.OpError) as error:
            raise ModelError(f"running the graph in TensorFlow failed: {_first_line(error)}") from error

    def shape(self, tensor: str) -> tuple[int, ...] | None:
        """The inferred shape of `tensor`: -1 for unknown sizes, None for unknown rank."""
        shape = self._tensor(tensor).shape
        return None if shape.rank is None else tuple(-1 if d is None else int(d) for d in shape.as_list())

    def dtype(self, tensor: str) -> str:
        """The element type of `tensor`."""
        return dtype_name(self._tensor(tensor).dtype.as_datatype_enum)

    def close(self) -> None:
        """Free the session's memory."""
        self._callables.clear()
        self._session.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _callable(self, tensors: Sequence[str], feeds: Iterable[str]) -> Any:
        fetches = [self._tensor(name) for name in tensors]
        return self._session.make_callable(fetches, feed_list=[self._tensor(name) for name in feeds])

    def _tensor(self, name: str) -> Any:
        try:
            return self._tf_graph.get_tensor_by_name(canonical(name))
        except KeyError as error:
            raise ModelError(f"the graph has no tensor {name!r}") from error

    def _config(self) -> Any:
        config = self._tf.compat.v1.ConfigProto(
            operation_timeout_in_ms=self._seconds * 1000,
            intra_op_parallelism_threads=self._threads,
            inter_op_parallelism_threads=self._threads,
            use_per_session_threads=True,  # sessions of several Python threads do not wait for each other
        )
        options = config.graph_options
        options.rewrite_options.disable_meta_optimizer = True
        options.optimizer_options.opt_level = -1
        return config


def _aligned(array: Array) -> Array:
    """`array` at an address that kernels can read from; TensorFlow makes a copy of all others that it is fed."""
    if not array.flags.c_contiguous or array.ctypes.data % ALIGNMENT == 0:
        return array
    room = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    aligned = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    aligned[...] = array
    return aligned


def _is_free(graph: Graph, name: str) -> bool:
    """Whether a Const waits for nothing: what does belongs to a loop's frame, where nothing can be fed."""
    return not graph.nodes[name].input


def _with_placeholders(graph: Graph, names: Iterable[str]) -> GraphDef:
    replaced = set(names)
    graph_def = graph.to_graph_def(without=replaced)
    for node in graph_def.node:
        if node.name in replaced:
            dtype = node.attr["dtype"].type
            node.op = "Placeholder"
            node.attr.clear()
            node.attr["dtype"].type = dtype
            for size in graph.constants[node.name].shape:
                node.attr["shape"].shape.dim.add(size=size)
    return graph_def


def _first_line(error: Exception) -> str:
    """What TensorFlow says in many lines: the node, and what is wrong there."""
    message = _FUNCTION.sub("", str(getattr(error, "message", error)))
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    said = next((line for line in lines if not _HEADING.match(line)), type(error).__name__)
    node = _NODE.search(message)
    named = "" if node is None or node[1] in said else f"node {node[1]!r}: "
    return f"{named}{said}"[:400]
