"""Constants are folded as the original folds them, up to a counter in names, and defaults that it adds."""

import re
import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest

from mobile_export import session as session_module
from mobile_export.errors import ModelError
from mobile_export.graph_transform_tool import memory
from mobile_export.graph_transform_tool.run import transform
from mobile_export.graphs.graph import Graph, control_inputs, data_inputs
from mobile_export.graphs.protos import NodeDef
from mobile_export.transform_string import parse_calls
from tests.graph_text import parse
from tests.graph_transform_tool import small_graphs
from tests.graph_transform_tool.harness import agree, answers, ours, ours_is_better, theirs
from tests.graph_transform_tool.original import OriginalError, original
from tests.graph_transform_tool.tf_graphs import graph_of, tf, tf1

FOLDED = re.compile(r"(.*)/_(\d+)__cf__\d+")

SUM = """
x = Placeholder float32[4]
a = Const float32[4] ~1
b = Const float32[4] ~2
sum = Add(a, b)
y = Mul(sum, x)
input x = x:0
output y = y:0
"""


def normal(graph: Graph) -> Graph:
    """With the default attributes of the running TensorFlow, without counters, control inputs in the order of names."""
    plain = Graph.from_graph_def(original(graph.to_graph_def(), [], [], "add_default_attributes"))
    found = defaultdict(list)
    for name in plain.nodes:
        match = FOLDED.fullmatch(name)
        if match:
            found[match[1]].append((int(match[2]), name))
    names = {name: f"{node}/folded/{k}" for node, of in found.items() for k, (_, name) in enumerate(sorted(of))}
    renamed = Graph(constants={names.get(name, name): value for name, value in plain.constants.items()})
    for node in plain.nodes.values():
        node.name = names.get(node.name, node.name)
        node.input[:] = [names.get(i, i) for i in data_inputs(node)] + sorted(control_inputs(node))
        renamed.nodes[node.name] = node
    return renamed


def folds(graph: Graph, calls: str = "fold_constants", **options: object) -> Graph:
    return agree(graph, calls, normal=normal, **options)


def sources(graph: Graph, name: str) -> list[str]:
    """The operators that `name` reads."""
    return [graph.producer(i).op for i in data_inputs(graph.nodes[name])]


def test_a_sum_of_constants() -> None:
    found = folds(parse(SUM), order=True)
    assert list(found.nodes) == ["y", "sum/_0__cf__0", "x"]
    assert found.nodes["y"].input[:] == ["sum/_0__cf__0", "x:0"]


def test_names_with_ports() -> None:
    graph = parse(SUM)
    run = transform(graph, ["x:0"], ["y:0"], parse_calls("fold_constants"))
    assert run.graph.nodes.keys() == folds(graph).nodes.keys()


@pytest.mark.parametrize("call", ["exclude_op=Add", "exclude_node=sum", "max_constant_size_in_bytes=10"])
def test_what_is_excluded_stays(call: str) -> None:
    assert "sum" in folds(parse(SUM), f"fold_constants({call})", order=True).nodes


def test_the_largest_size_is_inclusive() -> None:
    assert "sum" not in folds(parse(SUM), "fold_constants(max_constant_size_in_bytes=16)").nodes
    assert "sum" in folds(parse(SUM), "fold_constants(max_constant_size_in_bytes=15)").nodes


def test_what_feeds_an_excluded_node_is_folded() -> None:
    graph = parse(SUM.replace("Add(a, b)", "Add(r, b)\nr = Relu(a)"))
    assert sources(folds(graph, "fold_constants(exclude_op=Add)"), "sum") == ["Const", "Const"]


def test_values_of_static_shapes() -> None:
    graph = parse("""
    x = Placeholder float32[1,1,3]
    p = Placeholder float32[2]
    r = Relu(x)
    s = Shape(r) out_type=int32
    c = Cast(s) SrcT=int32 DstT=float32
    k = Rank(r)
    n = Size(r) out_type=int32
    m = Mul(k, n) T=int32
    d = Cast(m) SrcT=int32 DstT=float32
    l = ShapeN(x, p) N=2 T=float32 out_type=int64
    e = Cast(l:1) SrcT=int64 DstT=float32
    u = Mul(c, r)
    v = Mul(u, d)
    w = Mul(v, e2)
    e2 = Sum(e, z) Tidx=int32
    z = Const int32[]: 0
    input x = x:0
    input p = p:0
    output w = w:0
    """)
    found = folds(graph)
    assert [name for name, node in found.nodes.items() if node.op != "Const"] == ["r", "u", "v", "w", "p", "x"]
    assert sorted(found.nodes["u"].input) == ["c/_0__cf__0", "r"]
    assert found.nodes["c/_0__cf__0"].input[:] == ["^r"], "what is not read any more still comes first"


def test_shapes_are_folded_although_excluded() -> None:
    graph = parse("""
    x = Placeholder float32[2,3]
    p = Placeholder float32[2]
    s = Shape(x) out_type=int32
    f = Cast(s) SrcT=int32 DstT=float32
    y = Mul(f, p)
    input x = x:0
    input p = p:0
    output y = y:0
    """)
    folds(graph, "fold_constants(exclude_op=Shape)")


def test_unknown_shapes_stay() -> None:
    graph = parse("""
    x = Placeholder float32[?,3]
    s = Shape(x) out_type=int32
    k = Rank(x)
    c = Cast(s) SrcT=int32 DstT=float32
    d = Cast(k) SrcT=int32 DstT=float32
    u = Mul(x, d)
    y = Tile(c, t)
    t = Const int32[1]: 2
    input x = x:0
    output u = u:0
    output y = y:0
    """)
    assert {"s", "c"} < folds(graph).nodes.keys()


SAVED_SHAPES = """
x = Placeholder float32[...]
s = Shape(x) out_type=int32
c = Cast(s) SrcT=int32 DstT=float32
y = Mul(c, x)
input x = x:0
output y = y:0
"""


@pytest.mark.parametrize("clear", ["true", "false"])
def test_shapes_that_a_graph_was_saved_with(clear: str) -> None:
    graph = parse(SAVED_SHAPES)
    graph.nodes["x"].attr["_output_shapes"].list.shape.add().dim.add(size=3)
    found = agree(
        graph,
        f"fold_constants(clear_output_shapes={clear})",
        normal=normal,
        ignored_attributes=["_output_shapes"],  # of inputs alone, the original never clears them
    )
    assert ("_output_shapes" in found.nodes["x"].attr) == (clear == "false")
    assert ("s" in found.nodes) == (clear == "true")


def test_several_outputs_of_a_node() -> None:
    graph = parse("""
    x = Placeholder float32[2]
    axis = Const int32[]: 0
    w = Const float32[4] ~1
    r = Relu(w)
    p = Split(axis, r) num_split=2
    u = Mul(p:1, x)
    y = Mul(p, u)
    z = Mul(p:1, y)
    input x = x:0
    output z = z:0
    """)
    assert [node.op for node in folds(graph).nodes.values()] == ["Mul", "Mul", "Mul", "Const", "Const", "Placeholder"]


def test_outputs_keep_their_names() -> None:
    graph = parse("""
    x = Placeholder float32[4]
    w = Const float32[4] ~1
    i = Identity(w)
    r = Relu(i)
    s = Add(w, r)
    y = Mul(i, x)
    z = Mul(s, y)
    input x = x:0
    output i = i:0
    output r = r:0
    output z = z:0
    """)
    found = folds(graph)
    assert {"i", "r"} < found.nodes.keys()
    assert found.nodes["y"].input[0] != "i"


def test_default_values() -> None:
    graph = parse("""
    x = Placeholder float32[2]
    w = Const float32[2]: 1 2
    fed = PlaceholderWithDefault(w) dtype=float32 shape=[2]
    e = Const float32[2]: 3 4
    default = PlaceholderWithDefault(e) dtype=float32 shape=[2]
    c = Mul(w, x)
    u = Add(c, fed)
    v = Add(u, default, ^default)
    input x = x:0
    input fed = fed:0
    output v = v:0
    """)
    found = folds(graph)
    assert (found.nodes["fed"].op, list(found.nodes["fed"].input)) == ("Placeholder", [])
    assert found.constants[found.nodes["v"].input[1]].tolist() == [3, 4]


def test_the_default_of_a_fed_input_is_dropped() -> None:
    graph = parse("""
    w = Const float32[2]: 1 2
    x = PlaceholderWithDefault(w) dtype=float32 shape=[2]
    y = Relu(x)
    input x = x:0
    output y = y:0
    """)
    assert folds(graph).nodes.keys() == {"x", "y"}


def test_control_edges_move_to_the_constants() -> None:
    graph = parse("""
    x = Placeholder float32[3]
    a = Const float32[3] ~1
    b = Const float32[3] ~2
    c = Relu(x)
    e = Relu6(x)
    f = Identity(a, ^e)
    d = Add(f, b, ^x, ^c)
    y = Mul(d, x, ^c, ^a, ^f)
    z = Mul(y, a)
    input x = x:0
    output z = z:0
    """)
    graph.nodes["b"].input.append("^e")
    assert folds(graph).nodes["d/_0__cf__0"].input[:] == ["^c", "^e", "^x"]


def test_inside_of_a_loop() -> None:
    def build() -> None:
        x = tf1.placeholder(tf.float32, [2, 3], "x")
        w = tf.constant(np.full((3, 3), 0.1, np.float32))

        def body(i: tf.Tensor, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            factor = tf.constant(2.0) * tf.square(tf.constant(3.0))
            size = tf.cast(tf.size(h), tf.float32)
            return i + 1, tf.tanh(tf.matmul(h, tf.identity(w))) * factor * size

        tf.identity(tf.while_loop(lambda i, _: i < 3, body, [tf.constant(0), x])[1], "y")

    graph = graph_of(build, ["x"], ["y"])
    found = folds(graph)
    folded = [node for node in found.nodes.values() if FOLDED.fullmatch(node.name)]
    assert len(folded) == 2
    assert all(list(node.input) == ["^while/Identity"] for node in folded)
    assert np.array_equal(answers(found, graph)[0], answers(graph, graph)[0])


def test_what_is_random_stays() -> None:
    graph = parse("""
    x = Placeholder float32[3]
    s = Const int32[1]: 3
    r = RandomUniform(s) dtype=float32 T=int32 seed=1
    t = Relu(r)
    y = Mul(t, x)
    input x = x:0
    output y = y:0
    """)
    assert "t" in folds(graph).nodes


def test_texts_are_passed_on() -> None:
    def build() -> None:
        x = tf1.placeholder(tf.string, [2], "x")
        tf.strings.join([tf.identity(tf.constant(["a", "b"]), name="words"), x], name="y")

    found = folds(graph_of(build, ["x"], ["y"]), ignored_attributes=["value"])  # the original packs the bytes
    assert found.nodes["words/_0__cf__0"].attr["value"].tensor.string_val[:] == [b"a", b"b"]


def test_results_of_unknown_size_stay() -> None:
    graph = parse("""
    x = Placeholder float32[?]
    c = Const float32[3]: 1 0 1
    u = Unique(c) out_idx=int32
    y = Mul(u, x)
    input x = x:0
    output y = y:0
    """)
    assert "u" in folds(graph).nodes


def test_a_decomposed_batch_norm_is_folded_after_it() -> None:
    def build() -> None:
        x = tf1.placeholder(tf.float32, [None, 5, 5, 2], "x")
        rng = np.random.default_rng(0)

        def variable(*shape: int) -> tf.Tensor:
            return tf.identity(tf.constant(rng.uniform(0.5, 1.5, shape).astype(np.float32)))

        for branch in "ab":  # two on one input: which of them is folded hangs on the order of nodes
            h = tf.nn.conv2d(x, variable(3, 3, 2, 4), 1, "SAME")
            h = tf.nn.batch_normalization(h, *(variable(4) for _ in range(4)), 1e-3)
            tf.nn.relu(h, name=f"y{branch}")

    graph = graph_of(build, ["x"], ["ya", "yb"])
    assert sum(node.op == "Mul" for node in folds(graph, "fold_constants fold_batch_norms").nodes.values()) < 2


def test_names_are_the_same_at_every_run() -> None:
    assert list(ours(parse(SUM), "fold_constants").nodes) == list(ours(parse(SUM), "fold_constants").nodes)


def test_better_a_graph_that_was_folded_before() -> None:
    graph = parse(
        SUM.replace("a = Const float32[4] ~1", "sum/_0__cf__0 = Const float32[4] ~1")
        .replace("Add(a, b)", "Add(sum/_0__cf__0, b)")
        .replace("Mul(sum, x)", "Mul(sum, u)\nu = Mul(sum/_0__cf__0, x)")
    )
    found, expected = ours_is_better(graph, "fold_constants")
    assert "more than one node named 'sum/_0__cf__0'" in str(expected)
    assert np.array_equal(answers(found, graph)[0], answers(graph, graph)[0])


def test_no_tensorflow_where_nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise AssertionError("TensorFlow was imported")

    monkeypatch.setattr(session_module, "import_tensorflow", refuse)
    graph = parse(SUM.replace("Add(a, b)", "Identity(i)\ni = PreventGradient(a)"))
    found = ours(graph, "fold_constants")
    assert found.constants["sum/_0__cf__0"] is graph.constants["a"]
    with pytest.raises(AssertionError):
        ours(parse(SUM), "fold_constants")


def test_a_constant_that_is_too_large_is_not_passed_on() -> None:
    graph = parse(SUM.replace("Add(a, b)", "Identity(a)"))
    assert "sum" in folds(graph, "fold_constants(max_constant_size_in_bytes=15)").nodes


def test_huge_values_are_never_computed() -> None:
    graph = parse("""
    x = Placeholder float32[4]
    d = Const int64[2]: 60000 60000
    v = Const float32[]: 1
    f = Fill(d, v) T=float32 index_type=int64
    a = Const int32[2]: 0 1
    s = Sum(f, a) Tidx=int32
    y = Mul(s, x)
    input x = x:0
    output y = y:0
    """)
    assert {"f", "s"} < folds(graph).nodes.keys()


def test_values_that_fill_the_memory_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LARGEST_FILL", 100)
    graph = parse("""
    x = Placeholder float32[50]
    d = Const int32[1]: 50
    v = Const float32[]: 1
    f = Fill(d, v) T=float32
    y = Mul(f, x)
    input x = x:0
    output y = y:0
    """)
    with pytest.raises(ModelError, match="would take 208 bytes; give fold_constants a smaller max_constant_size"):
        ours(graph, "fold_constants")


def test_operands_that_fill_the_memory_are_refused() -> None:
    graph = parse(SUM.replace("Add(a, b)", "Sum(a, axis) Tidx=int32\naxis = Const int32[]: 0"))
    graph.constants["a"] = np.broadcast_to(np.float32(1), (1 << 29, 4))
    with pytest.raises(ModelError, match="would take 8589934612 bytes"):
        ours(graph, "fold_constants")


def test_an_input_that_is_no_placeholder_is_an_error() -> None:
    graph = parse(SUM + "input sum = sum:0 float32[4]")
    with pytest.raises(OriginalError, match="'sum' was expected to be a Placeholder or PlaceholderWithDefault op, but"):
        theirs(graph, "fold_constants")
    with pytest.raises(ModelError, match="'sum' was expected to be a Placeholder or PlaceholderWithDefault op, but"):
        ours(graph, "fold_constants")


def test_a_kernel_that_refuses_is_an_error() -> None:
    graph = parse(SUM.replace("Add(a, b)", "Gather(a, i) Tparams=float32 Tindices=int32\ni = Const int32[4]: 1 2 3 9"))
    with pytest.raises(OriginalError, match=r"indices\[3\] = 9 is not in"):
        theirs(graph, "fold_constants")
    with pytest.raises(ModelError, match=r"indices\[3\] = 9 is not in"):
        ours(graph, "fold_constants")
    run = transform(graph, ["x"], ["y"], parse_calls("fold_constants(ignore_errors=true)"))
    assert "sum" in run.graph.nodes


def test_what_may_refuse_to_go_on_stays() -> None:
    assert sources(folds(parse(SUM.replace("Add(a, b)", "CheckNumerics(n) message=bad\nn = Neg(a)"))), "sum") == [
        "Const"
    ]


@pytest.mark.parametrize("made", [small_graphs.conv_net, small_graphs.branch, small_graphs.loop])
def test_whole_networks(made: Callable[[], Graph]) -> None:
    graph = made()
    assert np.array_equal(answers(folds(graph), graph)[0], answers(graph, graph)[0])


def test_better_no_defaults_of_this_tensorflow() -> None:
    graph = parse("""
    x = Placeholder float32[4,4]
    w = Const float32[4,4] ~1
    r = Identity(w)
    y = MatMul(x, r)
    input x = x:0
    output y = y:0
    """)
    found, expected = ours_is_better(graph, "fold_constants")
    assert "grad_a" in expected.nodes["y"].attr, "which older runtimes refuse"
    assert found.nodes["y"].attr.keys() == {"T"}


def test_better_versions_stay() -> None:
    found, expected = ours_is_better(parse(SUM), "fold_constants")
    assert (found.versions.producer, expected.versions.producer) == (2000, 0)


def test_better_a_placeholder_that_is_not_named_as_an_input() -> None:
    graph = parse(
        SUM.replace("Add(a, b)", "Add(a, b)\nother = Placeholder float32[4]").replace(
            "(sum, x)", "(sum, t)\nt = Add(other, x)"
        )
    )
    found, expected = ours_is_better(graph, "fold_constants")
    assert isinstance(expected, OriginalError)
    assert {"other", "t"} < found.nodes.keys()
    assert sources(found, "y") == ["Const", "Add"]


def test_better_colocation_with_a_node_that_is_gone() -> None:
    graph = parse(SUM)
    graph.nodes["y"].attr["_class"].list.s.extend([b"loc:@sum", b"loc:@x"])
    found, expected = ours_is_better(graph, "fold_constants")
    with pytest.raises(ModelError, match="colocated with unknown node 'sum'"):
        answers(expected, graph)
    assert found.nodes["y"].attr["_class"].list.s[:] == [b"loc:@x"]
    assert np.array_equal(answers(found, graph)[0], answers(graph, graph)[0])


def test_better_an_operator_that_tensorflow_does_not_know() -> None:
    graph = parse(
        SUM.replace(
            "y = Mul(sum, x)",
            "y = OfOurOwn(m)\nm = Mul(sum, s2)\ns2 = Cast(s) SrcT=int32 DstT=float32\ns = Shape(x) out_type=int32",
        )
    )
    found, expected = ours_is_better(graph, "fold_constants")
    assert isinstance(expected, OriginalError)
    assert sources(found, "y") == ["Const"]


def test_operators_that_are_not_listed_are_not_run() -> None:
    graph = parse(SUM.replace("Add(a, b)", "OfOurOwn(r)\nr = Relu(a)"))
    assert sources(ours(graph, "fold_constants"), "sum") == ["Const"]


def test_what_lies_behind_a_foreign_operator_in_a_loop_is_left() -> None:
    def build() -> None:
        x = tf1.placeholder(tf.float32, [2, 3], "x")
        half = tf.sqrt(tf.constant(0.25))
        loop = tf.while_loop(lambda i, _: i < 3, lambda i, h: (i + 1, tf.tanh(h) * half), [tf.constant(0), x])
        tf.add(loop[1], tf.cast(tf.shape(x)[1], tf.float32), name="y")

    graph = graph_of(build, ["x"], ["y"])
    graph.nodes["while/Tanh"].op = "OfOurOwn"
    found = ours(graph, "fold_constants")
    assert not found.problems()
    assert "Sqrt" not in {node.op for node in found.nodes.values()}


def waiting(constants: int, waits: int) -> Graph:
    """A chain of constants, the first of which waits for `waits` nodes; each of them is read."""
    lines = ["x = Placeholder float32[]", "w = Const float32[]: 1", "input x = x:0", "output y = y:0"]
    lines += [f"n{i} = NoOp(^x)" for i in range(waits)]
    lines += [f"i{i} = Identity({f'i{i - 1}' if i else 'w'})" for i in range(constants)]
    lines += [f"r{i} = Mul(x, i{i})" for i in range(constants)]
    graph = parse("\n".join([*lines, f"y = AddN({', '.join(f'r{i}' for i in range(constants))}) N={constants}"]))
    graph.nodes["i0"].input.extend(f"^n{i}" for i in range(waits))
    return graph


def test_how_many_nodes_the_constants_wait_for_is_bounded() -> None:
    assert len(ours(waiting(3, 5000), "fold_constants").nodes["i2/_2__cf__2"].input) == 5000
    with pytest.raises(ModelError, match=r"^fold_constants: what stays would have to wait for more than 500000 nodes"):
        ours(waiting(1010, 1000), "fold_constants")


def test_a_long_chain_of_constants_takes_no_longer_for_what_its_first_waits_for() -> None:
    graph = waiting(1, 1000)
    for i in range(50_000):
        graph.nodes[f"i{i + 1}"] = NodeDef(name=f"i{i + 1}", op="Identity", input=[f"i{i}"])
    graph.nodes["r0"].input[1] = "i50000"
    started = time.process_time()
    assert len(ours(graph, "fold_constants").nodes["i50000/_0__cf__0"].input) == 1000
    assert time.process_time() - started < 5


def test_what_the_attribute_of_colocation_holds_besides_stays() -> None:
    graph = parse(SUM)
    graph.nodes["y"].attr["_class"].list.s.extend([b"loc:@sum", b"other"])
    assert ours(graph, "fold_constants").nodes["y"].attr["_class"].list.s[:] == [b"other"]
