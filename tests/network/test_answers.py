"""What is found to be the answers of training programs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mobile_export.network import signature
from mobile_export.network.answers import find_outputs, rank_outputs
from mobile_export.network.signature import Candidate
from tests.loops import control_flow, recurrent
from tests.sources.training import dense, graph_of, load, mlp, tf, tf1, trained, variable


def image() -> Any:
    return tf1.placeholder(tf.float32, [None, 6], "image")


def regression() -> None:
    x, y = image(), tf1.placeholder(tf.float32, [None, 1], "target")
    value = tf.identity(dense(x, 1, "value"), "answer")
    loss = tf.reduce_mean(tf.square(value - y)) + 0.1 * tf.nn.l2_loss(variable("value/unused", 3))
    tf1.train.MomentumOptimizer(0.1, 0.9).minimize(loss)


def logits_alone() -> None:
    x = image()
    trained(x, tf.identity(dense(x, 3, "dense"), "logits"), {}, {})  # with probabilities behind them


def classes() -> None:
    x = image()
    tf.argmax(tf.nn.softmax(dense(x, 3, "dense")), 1, name="classes")


def gated() -> None:
    x = image()
    kept = tf1.placeholder_with_default(1.0, [], "keep")
    tf.nn.softmax(dense(tf.nn.dropout(x, rate=1 - kept), 3, "dense"), name="probabilities")


def flattened() -> None:
    x = image()
    answer = tf.nn.sigmoid(dense(x, 1, "dense"), name="answer")
    y = tf1.placeholder(tf.float32, [None], "target")
    tf1.losses.absolute_difference(y, tf.reshape(answer, [-1]))


def in_a_function() -> None:
    x = image()
    weights = variable("weights", 6, 3)
    tf.identity(tf.function(lambda value: tf.matmul(value, weights))(x), "answer")


def autoencoder() -> None:
    x = image()
    decoded = tf.nn.sigmoid(dense(tf.nn.relu(dense(x, 2, "encoder")), 6, "decoder"))
    loss = tf.reduce_mean(tf.square(x - decoded)) + 0.1 * tf.nn.l2_loss(tf1.trainable_variables()[0])
    tf1.train.AdamOptimizer().minimize(loss)


def cross_entropy() -> None:
    x = image()
    logits = dense(tf.nn.relu(dense(x, 2, "encoder")), 6, "decoder")
    tf.nn.sigmoid(logits, name="decoded")
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits)
    tf1.train.AdamOptimizer().minimize(tf.reduce_mean(tf.reduce_sum(losses, 1)))


def denoiser() -> None:
    x, y = image(), tf1.placeholder(tf.float32, [None, 6], "clean")
    tf1.train.AdamOptimizer().minimize(tf.reduce_sum(tf.abs(tf.subtract(x, dense(x, 6, "noise"), "denoised") - y)))


def two_inputs() -> None:
    x, y = image(), tf1.placeholder(tf.int32, [None], "word")
    h = tf.concat([x, tf.nn.embedding_lookup(variable("table", 5, 2), y)], 1)
    trained(x, dense(h, 3, "dense"), {}, {})


def heads() -> None:
    x = image()
    hidden = tf.nn.relu(dense(x, 8, "hidden"))
    tf.nn.softmax(dense(hidden, 3, "kind"), name="kind/out")
    tf.cast(tf.argmax(dense(hidden, 4, "color"), 1), tf.int32, name="color/out")


# Programs as they are found


def minimize(*losses: Any) -> Any:
    with tf.control_dependencies(tf1.get_collection(tf1.GraphKeys.UPDATE_OPS)):
        return tf1.train.AdamOptimizer().minimize(tf.add_n(losses))


def classified(logits: Any, labels: Any, **options: Any) -> Any:
    return tf.reduce_mean(tf1.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits), **options)


def labels() -> Any:
    return tf1.placeholder(tf.int64, [None], "labels")


def gan() -> None:
    real, z = image(), tf1.placeholder(tf.float32, [None, 4], "z")

    def discriminator(x: Any) -> Any:
        with tf1.variable_scope("discriminator", reuse=tf1.AUTO_REUSE):
            return dense(tf.nn.relu(dense(x, 8, "hidden")), 1, "judgement")

    fake = tf.tanh(dense(tf.nn.relu(dense(z, 8, "generator/hidden")), 6, "generator/out"), name="generator/image")
    judged = [discriminator(real), discriminator(fake)]
    for wanted, logits in enumerate(judged):
        cross = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.fill(tf.shape(logits), float(wanted)), logits=logits)
        minimize(tf.reduce_mean(cross))


def siamese() -> None:
    def tower(x: Any) -> Any:
        with tf1.variable_scope("tower", reuse=tf1.AUTO_REUSE):
            return dense(tf.nn.relu(dense(x, 8, "hidden")), 4, "embedding")

    left, right = (tower(tf1.placeholder(tf.float32, [None, 6], name)) for name in ("left", "right"))
    distance = tf.sqrt(tf.reduce_sum(tf.square(left - right), 1), name="distance")
    same = tf1.placeholder(tf.float32, [None], "same")
    minimize(tf.reduce_mean(same * tf.square(distance) + (1 - same) * tf.square(tf.maximum(1.0 - distance, 0.0))))


def several_tasks() -> None:
    x, y, box = image(), labels(), tf1.placeholder(tf.float32, [None, 4], "true_box")
    hidden = tf.nn.relu(dense(x, 8, "hidden"))
    logits = dense(hidden, 3, "kind")
    tf.nn.softmax(logits, name="kind/probabilities")
    minimize(classified(logits, y), tf1.losses.huber_loss(box, dense(hidden, 4, "box")))


def face() -> None:
    x, y = image(), labels()
    bottleneck = dense(tf.nn.relu(dense(x, 8, "hidden")), 4, "bottleneck")
    tf.nn.l2_normalize(bottleneck, 1, name="embeddings")
    minimize(classified(dense(bottleneck, 3, "Logits"), y))


def estimator() -> None:
    """A model_fn as of the tutorials: an input pipeline, predictions in a dict, eval metrics, summaries."""
    pairs = tf.data.Dataset.from_tensor_slices((tf.zeros([8, 6]), tf.zeros([8], tf.int64))).batch(4)
    x, y = tf1.data.make_one_shot_iterator(pairs).get_next()
    logits = dense(tf.nn.relu(dense(x, 8, "hidden")), 3, "dense")
    predicted = tf.argmax(logits, axis=1)
    tf.nn.softmax(logits, name="softmax_tensor")
    loss = classified(logits, y)
    accuracy = tf1.metrics.accuracy(y, predicted)
    tf1.metrics.mean_per_class_accuracy(y, predicted, 3)
    tf1.summary.scalar("train_accuracy", accuracy[1])
    minimize(loss)


def measured() -> None:
    x, y = image(), tf1.placeholder(tf.bool, [None], "positive")
    score = tf.nn.sigmoid(tf.squeeze(dense(tf.nn.relu(dense(x, 8, "hidden")), 1, "dense"), 1), name="score")
    tf1.metrics.auc(y, score)
    tf1.metrics.precision_at_thresholds(y, score, [0.3, 0.5])
    tf1.metrics.recall(y, score > 0.5)
    minimize(tf1.losses.log_loss(tf.cast(y, tf.float32), score))


def compiled() -> None:
    """As Keras writes it: the loss is of the logits, and a metric's variables are all that takes the scores."""
    x, y = image(), labels()
    logits = dense(tf.nn.relu(dense(x, 8, "hidden")), 3, "dense")
    scores = tf.nn.softmax(logits, name="dense/Softmax")
    with tf1.name_scope("training/Adam"):
        for gradient in tf.gradients(classified(logits, y), tf1.trainable_variables()):
            tf.identity(gradient)
    right = tf.reduce_sum(tf.cast(tf.equal(tf.argmax(scores, 1), y), tf.float32))
    tf1.assign_add(variable("total", trainable=False), right)


def segmented() -> None:
    """The picture in the summary, and the metric, are made of the logits."""
    x, y = image(), tf1.placeholder(tf.int64, [None, 6], "mask")
    logits = tf.reshape(dense(tf.nn.relu(dense(x, 8, "hidden")), 18, "dense"), [-1, 6, 3], name="logits")
    best_class = tf.argmax(logits, 2, name="pred")
    tf1.summary.image("pred", tf.cast(tf.reshape(best_class, [-1, 2, 3, 1]) * 100, tf.uint8))
    tf1.metrics.mean_iou(y, best_class, 3)
    minimize(classified(logits, y))


def watched() -> None:
    """Summaries of activations and of pictures made for them; a Print on the way."""
    x, y = image(), tf1.placeholder(tf.float32, [None, 6], "clean")
    hidden = tf.nn.relu(dense(x, 8, "hidden"))
    tf1.summary.histogram("activations", hidden)
    tf1.summary.scalar("sparsity", tf.nn.zero_fraction(hidden))
    answer = tf.nn.tanh(dense(tf1.Print(hidden, [tf.shape(hidden)]), 6, "picture"))
    tf1.summary.image("picture", tf.reshape((answer + 1.0) * 127.5, [-1, 2, 3, 1]))
    minimize(tf.reduce_mean(tf.abs(answer - y)))


def clipped() -> None:
    """Cross entropy by hand; gradients clipped by their norm; L2 over all weights."""
    x, y = image(), tf1.placeholder(tf.float32, [None, 3], "one_hot")
    scores = tf.nn.softmax(dense(tf.nn.relu(dense(x, 8, "hidden")), 3, "dense"))
    loss = tf.reduce_mean(-tf.reduce_sum(y * tf.math.log(tf.clip_by_value(scores, 1e-10, 1.0)), 1))
    loss += 1e-4 * tf.add_n([tf.nn.l2_loss(v) for v in tf1.trainable_variables()])
    optimizer = tf1.train.AdamOptimizer()
    gradients, variables = zip(*optimizer.compute_gradients(loss), strict=True)
    clipped_gradients, norm = tf.clip_by_global_norm(gradients, 5.0)
    tf1.summary.scalar("norm", norm)
    optimizer.apply_gradients(zip(clipped_gradients, variables, strict=True))


def binary() -> None:
    x, y = image(), tf1.placeholder(tf.float32, [None, 1], "truth")
    p = tf.nn.sigmoid(dense(tf.nn.relu(dense(x, 8, "hidden")), 1, "dense"))
    minimize(-tf.reduce_mean(y * tf.math.log(p + 1e-8) + (1 - y) * tf.math.log(1 - p + 1e-8)))


def scoped_as_loss() -> None:
    """BERT's classifier has its last layer in a scope of that name."""
    x, y = image(), labels()
    pooled = tf.tanh(dense(x, 8, "pooler"))
    with tf1.variable_scope("loss"):
        logits = tf.nn.bias_add(tf.matmul(pooled, variable("weights", 8, 3)), variable("bias", 3))
        tf.nn.softmax(logits)
        each = -tf.reduce_sum(tf.one_hot(y, 3) * tf.nn.log_softmax(logits), axis=-1)
        minimize(tf.reduce_mean(each))


def normalized() -> None:
    """Batch norm with update operations, and branches that a switch chooses."""
    x, y, training = image(), labels(), tf1.placeholder(tf.bool, [], "is_training")
    hidden = dense(x, 8, "hidden")
    moving = variable("moving_mean", 8, trainable=False)
    mean = tf1.cond(training, lambda: tf.reduce_mean(hidden, 0), lambda: tf.identity(moving))
    tf1.add_to_collection(tf1.GraphKeys.UPDATE_OPS, tf1.assign_sub(moving, (moving - mean) * 0.01))
    hidden = tf.nn.relu(hidden - mean)
    hidden = tf1.cond(training, lambda: tf.nn.dropout(hidden, rate=0.5), lambda: hidden)
    logits = dense(hidden, 3, "dense")
    minimize(classified(logits, y))
    tf.nn.softmax(logits, name="prediction")


def queued() -> None:
    x, y = tf1.train.batch([tf.zeros([6]), tf.zeros([], tf.int64)], 4)
    minimize(classified(tf.identity(dense(tf.nn.relu(dense(x, 8, "hidden")), 3, "dense"), name="output"), y))


def detector() -> None:
    """Losses look at parts of the head's one answer."""
    x, y = image(), tf1.placeholder(tf.float32, [None, 5], "truth")
    head = dense(tf.nn.relu(dense(x, 8, "hidden")), 5, "head")
    place = tf.reduce_mean(tf.abs(head[:, :4] - y[:, :4]))
    minimize(place, tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y[:, 4:], logits=head[:, 4:])))


def best() -> None:
    x, y = image(), labels()
    logits = dense(tf.nn.relu(dense(x, 8, "hidden")), 9, "dense")
    tf.nn.top_k(tf.nn.softmax(logits), 3, name="best")
    minimize(classified(logits, y))


def text() -> None:
    """Class numbers, and their names out of a table, are made of the scores."""
    x = image()
    scores = tf.nn.softmax(dense(x, 2, "dense"), name="scores")
    names = tf.lookup.KeyValueTensorInitializer(tf.constant([0, 1], tf.int64), tf.constant(["cat", "dog"]))
    tf.lookup.StaticHashTable(names, "?").lookup(tf.argmax(scores, 1))
    tf.strings.as_string(tf.argmax(scores, 1), name="classes")


def reader() -> None:
    """A recurrent network, and a loss that is a loop as well."""
    x, y = tf1.placeholder(tf.float32, [1, 6, 3], "steps"), tf1.placeholder(tf.float32, [6, 1, 2], "targets")
    logits = tf.transpose(dense(tf.reshape(recurrent(x), [-1, 5]), 2, "dense")[None], [1, 0, 2], name="logits")

    def add(t: Any, sum_: Any) -> tuple[Any, Any]:
        return t + 1, sum_ + tf.reduce_sum(y[t] * tf.nn.log_softmax(logits[t]), 1)

    minimize(-tf.reduce_mean(tf.while_loop(lambda t, _: t < 6, add, (0, tf.zeros([1])))[1]))


def stateful() -> None:
    """A loop whose last state is handed out under a name; its counter is not."""
    x, state = (tf1.placeholder(tf.float32, [None, 4], name) for name in ("x", "state"))
    w = variable("w", 4, 4)
    loop = tf.while_loop(lambda t, _: t < 3, lambda t, h: (t + 1, tf.tanh(tf.matmul(h + x, w))), (0, state))
    tf.identity(loop[1], name="new_state")


def raw_loop() -> None:
    x, w = tf1.placeholder(tf.float32, [None, 4], "x"), variable("w", 4, 4)
    tf.while_loop(lambda t, _: t < 3, lambda t, h: (t + 1, tf.tanh(tf.matmul(h, w))), (0, x))


def counted() -> None:
    """How many boxes there are is an answer too."""
    x = tf1.placeholder(tf.float32, [1, 6], "image")
    boxes = tf.reshape(dense(x, 20, "boxes"), [5, 4])
    kept = tf.image.non_max_suppression(boxes, tf.reshape(dense(x, 5, "scores"), [5]), 3)
    tf.gather(boxes, kept, name="found")
    tf.cast(tf.shape(kept)[:1], tf.float32, name="count")


@pytest.mark.parametrize(
    ("build", "outputs", "inputs"),
    [
        (mlp, ["probabilities:0"], ["image:0"]),
        (regression, ["answer:0"], ["image:0"]),
        (logits_alone, ["probabilities:0"], ["image:0"]),
        (classes, ["classes:0"], ["image:0"]),
        (gated, ["probabilities:0"], ["image:0"]),
        (flattened, ["answer:0"], ["image:0"]),
        (in_a_function, ["answer:0"], ["image:0"]),
        (autoencoder, ["Sigmoid:0"], ["image:0"]),
        (cross_entropy, ["decoded:0"], ["image:0"]),
        (denoiser, ["denoised:0"], ["image:0"]),
        (two_inputs, ["probabilities:0"], ["image:0", "word:0"]),
        (heads, ["kind/out:0", "color/out:0"], ["image:0"]),
        (
            gan,
            ["generator/image:0", "discriminator/judgement/add:0", "discriminator_1/judgement/add:0"],
            ["image:0", "z:0"],
        ),
        (siamese, ["distance:0"], ["left:0", "right:0"]),
        (several_tasks, ["kind/probabilities:0", "box/add:0"], ["image:0"]),
        (face, ["embeddings:0", "Logits/add:0"], ["image:0"]),
        (estimator, ["softmax_tensor:0"], []),
        (measured, ["score:0"], ["image:0"]),
        (compiled, ["dense/Softmax:0"], ["image:0"]),
        (segmented, ["logits:0"], ["image:0"]),
        (watched, ["Tanh:0"], ["image:0"]),
        (clipped, ["Softmax:0"], ["image:0"]),
        (binary, ["Sigmoid:0"], ["image:0"]),
        (scoped_as_loss, ["loss/Softmax:0"], ["image:0"]),
        (normalized, ["prediction:0"], ["image:0", "is_training:0"]),
        (queued, ["output:0"], []),
        (detector, ["head/add:0"], ["image:0"]),
        (best, ["best:0", "best:1"], ["image:0"]),
        (text, ["scores:0"], ["image:0"]),
        (counted, ["found:0", "count:0"], ["image:0"]),
    ],
)
def test_find(build: Callable[[], Any], outputs: Sequence[str], inputs: Sequence[str]) -> None:
    graph = graph_of(build)
    found = find_outputs(graph)
    assert found == outputs
    graph.outputs = tuple(signature.declared(graph, "y", tensor) for tensor in found)
    assert signature.find_inputs(graph) == inputs


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("build", "outputs"),
    [(reader, ["logits"]), (stateful, ["new_state"]), (raw_loop, ["while/Exit_1", "while/Identity_3"])],
)
def test_find_behind_loops(build: Callable[[], Any], outputs: Sequence[str], version: int) -> None:
    with control_flow(version):
        assert find_outputs(graph_of(build)) == [f"{outputs[-1 if version == 2 else 0]}:0"]


def likely(build: Callable[[], Any]) -> list[str]:
    return [candidate.tensor for candidate in rank_outputs(graph_of(build)) if candidate.likely]


def test_a_generator_is_likelier_than_its_discriminator() -> None:
    first, *others = rank_outputs(graph_of(gan))
    assert first == Candidate("generator/image:0", "further layers judge it as they do samples", True)
    assert not any(other.likely for other in others)


def test_what_a_loss_alone_reads_is_unlikely_beside_what_was_named_for_serving() -> None:
    assert likely(face) == ["embeddings:0"]
    assert likely(several_tasks) == ["kind/probabilities:0", "box/add:0"]


def test_a_customary_name_comes_first() -> None:
    def build() -> None:
        hidden = tf.nn.relu(dense(image(), 8, "hidden"))
        tf.identity(dense(hidden, 3, "side"), name="something")
        tf.identity(dense(hidden, 3, "main"), name="predictions")

    assert [candidate.why for candidate in rank_outputs(graph_of(build))] == [
        "AddV2 at the end; nothing reads it; named as answers are",
        "AddV2 at the end; nothing reads it",
    ]
    assert likely(build) == ["predictions:0", "something:0"]


def test_all_ends_of_a_frozen_graph_are_its_outputs(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        hidden = tf.nn.relu(tf.matmul(image(), tf.ones([6, 8])))
        tf.nn.softmax(tf.matmul(hidden, tf.ones([8, 3])), name="kind")
        tf.matmul(hidden, tf.ones([8, 4]), name="box")
    (tmp_path / "frozen.pb").write_bytes(graph.as_graph_def().SerializeToString())
    assert [spec.tensor for spec in load(tmp_path / "frozen.pb").outputs] == ["kind:0", "box:0"]
