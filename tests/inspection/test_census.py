"""What is counted in a graph."""

from pathlib import Path

from mobile_export.graphs.graph import Graph
from mobile_export.inspection import census
from tests.sources.training import Net, dense, load, save, tf, tf1, trained


def small() -> Net:
    x = tf1.placeholder(tf.float32, [None, 6], "image")
    net = trained(
        x, dense(tf.nn.relu(dense(x, 8, "hidden")), 3, "logits"), {}, {}, tf1.train.MomentumOptimizer(0.1, 0.9)
    )
    averages = tf1.train.ExponentialMovingAverage(0.9).apply(tf1.trainable_variables()[:3])
    return Net(net.inputs, net.outputs, net.training, net.serving, [net.step, averages])


def whole() -> Graph:
    with tf.Graph().as_default() as graph:
        small()
        tf1.train.Saver()
    return Graph.from_graph_def(graph.as_graph_def())


def test_leftovers_are_what_the_outputs_do_not_need() -> None:
    graph = whole()
    kept = graph.reachable(["probabilities"])
    found = census.leftovers(graph, kept)
    assert found["optimizer slots"] == 4  # the momentum of two weights and two biases
    assert found["moving averages"] == 3
    assert found["optimizer"] == 4
    assert {"gradients", "losses", "saver", "summaries"} <= found.keys()
    assert found["other variables"] == 1  # the global step
    assert not any(count < 0 for count in found.values())
    assert census.leftovers(graph, set(graph.nodes)) == {}


def test_moving_averages_of_the_network_alone_count() -> None:
    graph = whole()
    assert census.shadows(graph, graph.reachable(["probabilities"])) == 3
    assert census.shadows(graph, graph.reachable(["image"])) == 0


def test_devices() -> None:
    graph = whole()
    graph.nodes["image"].device = "/gpu:1"
    assert census.devices(graph)["/gpu:1"] == 1


def test_network_in_numbers(tmp_path: Path) -> None:
    saved = save(small, tmp_path)
    graph = load(saved.prefix)
    found = census.network(graph)
    assert found.operators["MatMul"] == 2
    assert not {"Const", "Placeholder"} & found.operators.keys()
    assert found.parameters == 6 * 8 + 8 + 8 * 3 + 3
    assert found.weight_bytes == 4 * found.parameters
    assert found.macs is None  # the batch is not known
    assert (found.loops, found.branches) == (0, 0)


def test_multiplications_of_layers() -> None:
    def build() -> None:
        x = tf1.placeholder(tf.float32, [1, 8, 8, 3], "x")
        h = tf.nn.conv2d(x, tf.ones([3, 3, 3, 4]), 1, "SAME")  # 8*8*4 * 27
        h = tf.nn.depthwise_conv2d(h, tf.ones([3, 3, 4, 2]), [1, 2, 2, 1], "SAME")  # 4*4*8 * 9
        tf.matmul(tf.reshape(h, [1, 128]), tf.ones([5, 128]), transpose_b=True)  # 5 * 128

    with tf.Graph().as_default() as graph:
        build()
    assert census.network(Graph.from_graph_def(graph.as_graph_def())).macs == 64 * 4 * 27 + 16 * 8 * 9 + 5 * 128
