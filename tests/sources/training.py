"""TF1 training programs, saved as such programs save themselves, and what TensorFlow answers after restoring them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import MetaGraphDef
from mobile_export.network.forward import find_inputs, forward_graph
from mobile_export.session import Session, import_tensorflow
from mobile_export.sources import source_of
from mobile_export.target import Model
from mobile_export.transforms import INFERENCE, apply, named

tf = import_tensorflow()
tf1 = tf.compat.v1

ROWS = 5


@dataclass(frozen=True)
class Net:
    """What a program builds: `training` and `serving` say what it feeds besides its inputs, and when."""

    inputs: Any
    outputs: Any
    training: Mapping[Any, Any]
    serving: Mapping[Any, Any]
    step: Any


@dataclass(frozen=True)
class Saved:
    """A checkpoint, samples by input tensor, and TensorFlow's answers by output tensor."""

    prefix: Path
    samples: dict[str, np.ndarray]
    answers: dict[str, np.ndarray] = field(repr=False)


def save(build: Callable[[], Net], folder: Path, saver: Callable[[], Any] = lambda: tf1.train.Saver()) -> Saved:
    """Build, train a little, save; then restore into a fresh session, and ask."""
    prefix = folder / "model.ckpt"
    config = tf1.ConfigProto(device_count={"CPU": 2}, allow_soft_placement=True)
    with tf.Graph().as_default():
        tf1.set_random_seed(1)
        net = build()
        samples = {tensor.name: sample_of(tensor) for tensor in net.inputs}
        writer = saver()
        with tf1.Session(config=config) as session:
            own, averages = [], []  # the averages start from the variables, and do not wait for them
            for one in tf1.global_variables():
                (averages if "ExponentialMovingAverage" in one.name else own).append(one)
            session.run([tf1.variables_initializer(own), tf1.local_variables_initializer()])
            session.run(tf1.variables_initializer(averages))
            for _ in range(2):
                session.run(net.step, {**samples, **net.training})
            spelled = writer.save(session, str(prefix))
        names = [tensor.name for tensor in net.outputs]
        serving = {tensor.name: value for tensor, value in net.serving.items()}
    with tf.Graph().as_default(), tf1.Session(config=config) as session:
        tf1.train.import_meta_graph(f"{prefix}.meta").restore(session, spelled)
        return Saved(prefix, samples, dict(zip(names, session.run(names, {**samples, **serving}), strict=True)))


def sample_of(tensor: Any) -> np.ndarray:
    rng = np.random.default_rng(0)
    shape = [ROWS, *tensor.shape[1:]]
    dtype = tensor.dtype.as_numpy_dtype
    return rng.normal(size=shape).astype(dtype) if tensor.dtype.is_floating else rng.integers(0, 4, shape).astype(dtype)


def load(path: Path, **model: Any) -> Graph:
    """The served graph, as a build makes it, from the checkpoint at `path`."""
    described = Model.model_validate({"source": path, **model})
    graph = forward_graph(source_of(described)[1].read(described), described)
    if not graph.inputs:
        graph = find_inputs(graph, apply(graph, named(INFERENCE), None)[0])
    return apply(graph, named(INFERENCE), None)[0]


def edit(saved: Saved, change: Callable[[Any], object]) -> None:
    """Change the saved graph, as a MetaGraphDef."""
    path = Path(f"{saved.prefix}.meta")
    meta = MetaGraphDef.FromString(path.read_bytes())
    change(meta)
    path.write_bytes(meta.SerializeToString())


def rename_op(old: str, new: str) -> Callable[[Any], None]:
    """An edit: every node `old` has the operator `new` now."""

    def change(meta: Any) -> None:
        nodes = [node for node in meta.graph_def.node if node.op == old]
        assert nodes
        for node in nodes:
            node.op = new

    return change


def assert_serves(saved: Saved, graph: Graph) -> None:
    """The graph answers as TensorFlow did, and holds nothing of the training."""
    feeds = dict(zip([spec.name for spec in graph.inputs], saved.samples.values(), strict=True))
    with Session(graph) as session:
        answers = session(feeds)
    assert [spec.tensor for spec in graph.outputs] == list(saved.answers)
    for spec in graph.outputs:
        np.testing.assert_allclose(answers[spec.name], saved.answers[spec.tensor], rtol=1e-6, atol=1e-6)
    assert not graph.library.function
    assert leftovers(graph) == []


def leftovers(graph: Graph) -> list[str]:
    """Nodes that only training, or undecided control flow, would have."""
    inputs = {spec.tensor for spec in graph.inputs}
    return [
        f"{node.name} ({node.op})"
        for node in graph.nodes.values()
        if node.op in TRAINING or node.device or (node.op == "Placeholder" and f"{node.name}:0" not in inputs)
    ]


TRAINING = frozenset(
    """
    ApplyAdam ApplyMomentum Assert Assign AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp
    AssignVariableOp BroadcastGradientArgs CheckNumerics HistogramSummary If L2Loss MergeSummary PlaceholderWithDefault
    Print RandomUniform ReadVariableOp ReluGrad ResourceApplyAdam ResourceApplyMomentum ResourceGather RestoreV2 SaveV2
    ScalarSummary SparseSoftmaxCrossEntropyWithLogits StatefulPartitionedCall StatelessIf Switch VarHandleOp VariableV2
    """.split()
)


def graph_of(build: Callable[[], Any]) -> Graph:
    """What `build` writes into a graph, as a GraphDef holds it."""
    with tf.Graph().as_default() as graph:
        build()
    return Graph.from_graph_def(graph.as_graph_def())


# What programs are made of


def variable(name: str, *shape: int, resource: bool = True, **options: Any) -> Any:
    options = {"initializer": tf1.random_normal_initializer(stddev=0.5), "use_resource": resource, **options}
    return tf1.get_variable(name, list(shape), **options)


def dense(x: Any, units: int, scope: str, **options: Any) -> Any:
    with tf1.variable_scope(scope):
        weights = variable("weights", x.shape[-1], units, **options)
        return tf.matmul(x, weights) + variable("biases", units, resource=options.get("resource", True))


def trained(x: Any, logits: Any, training: Mapping[Any, Any], serving: Mapping[Any, Any], optimizer: Any = None) -> Net:
    """Labels, loss, accuracy, summaries and a training step around `logits`."""
    labels = tf1.placeholder(tf.int64, [None], "labels")
    probabilities = tf.nn.softmax(logits, name="probabilities")
    losses = tf1.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    decay = tf.add_n([tf.nn.l2_loss(v) for v in tf1.trainable_variables()])
    loss = tf.reduce_mean(losses) + 1e-4 * decay
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(probabilities, 1), labels), tf.float32), name="accuracy")
    tf1.summary.scalar("loss", loss)
    tf1.summary.scalar("accuracy", accuracy)
    for v in tf1.trainable_variables():
        tf1.summary.histogram(v.op.name, v)
    summaries = tf1.summary.merge_all()
    optimizer = optimizer or tf1.train.GradientDescentOptimizer(0.1)
    with tf.control_dependencies(tf1.get_collection(tf1.GraphKeys.UPDATE_OPS)):
        step = optimizer.minimize(loss, tf1.train.get_or_create_global_step())
    fed = {labels: np.arange(ROWS) % 3, **training}
    return Net([x], [probabilities], fed, serving, [step, summaries])


def mlp(resource: bool = True, optimizer: Any = None) -> Net:
    """Two dense layers."""
    x = tf1.placeholder(tf.float32, [None, 6], "image")
    hidden = tf.nn.relu(dense(x, 8, "hidden", resource=resource))
    return trained(x, dense(hidden, 3, "logits", resource=resource), {}, {}, optimizer)
