"""Every transform on golden cases: a graph, `# ->`, and the same graph afterwards; `# stays` where it must refuse.

The runner runs each case before and after in TensorFlow, so a case that renders right and computes wrong fails too.
"""

from pathlib import Path

import numpy as np
import pytest

from mobile_export.errors import ConversionError, ModelError
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.text import render
from mobile_export.transforms import TRANSFORMS, Transform, apply, relative_difference
from tests.graph_text import parse

CASES = sorted(Path(__file__).parent.glob("cases/*/*.txt"))
BEYOND_TEXT = {"drop_unread_results", "inline_functions", "lower_case"}
"""Transforms of what a text cannot say; each has a module of tests."""


def probe_for(graph: Graph) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {spec.name: rng.normal(size=[3, *spec.shape[1:]]).astype(spec.dtype) for spec in graph.inputs}


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_case(path: Path) -> None:
    before_text, marker, after_text = path.read_text().partition("\n# ")
    assert marker, f"{path.name} has neither `# ->` nor `# stays`"
    verb, _, after_text = after_text.partition("\n")
    before = parse(before_text)
    name = path.parent.name
    after, _ = apply(before, [(name, TRANSFORMS[name])], probe_for(before))
    expected = render(before) if verb.startswith("stays") else after_text
    assert render(after).split("\n") == [*expected.strip().split("\n"), ""]


def test_every_transform_has_a_case_where_it_acts_and_one_where_it_refuses() -> None:
    for name in {path.parent.name for path in CASES}:
        texts = [path.read_text() for path in CASES if path.parent.name == name]
        assert any("\n# ->" in text for text in texts), name
        assert any("\n# stays" in text for text in texts), name
    assert {path.parent.name for path in CASES} == set(TRANSFORMS) - BEYOND_TEXT
    assert all((Path(__file__).parent / f"test_{name}.py").is_file() for name in BEYOND_TEXT)


SOUND = """
x = Placeholder float32[?,2]
y = Relu(x)
input x = x:0
output y = y:0
"""


def broken(change) -> Transform:
    def rewrite(graph: Graph) -> Graph:
        graph = graph.copy()
        change(graph)
        return graph

    return Transform(rewrite)


def rename_op(graph: Graph) -> None:
    graph.nodes["y"].op = "Relu6"


def dangle(graph: Graph) -> None:
    graph.nodes["y"].input[0] = "gone"


def drop_output(graph: Graph) -> None:
    graph.outputs = ()


def unknown_op(graph: Graph) -> None:
    graph.nodes["y"].op = "NoSuchOperator"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (rename_op, "moved the outputs by"),
        (dangle, "reads 'gone', which does not exist"),
        (drop_output, "the outputs changed"),
        (unknown_op, "operators that are never run here: NoSuchOperator"),
    ],
)
def test_runner_catches_a_transform_that_breaks_its_promise(change, message: str) -> None:
    graph = parse(SOUND)
    probe = {"x": np.full([3, 2], 7, np.float32)}
    with pytest.raises(ConversionError, match=message) as caught:
        apply(graph, [("culprit", broken(change))], probe)
    assert "culprit" in str(caught.value)


@pytest.mark.parametrize("after", [dangle, drop_output, unknown_op])
def test_runner_tells_what_broke_first_whatever_comes_after(after) -> None:
    probe = {"x": np.full([3, 2], 7, np.float32)}
    steps = [("culprit", broken(rename_op)), ("innocent", TRANSFORMS["sort"]), ("second", broken(after))]
    with pytest.raises(ConversionError, match="'culprit' moved the outputs by"):
        apply(parse(SOUND), steps, probe)


def test_runner_refuses_a_graph_that_does_not_run_even_without_steps() -> None:
    graph = parse(SOUND)
    unknown_op(graph)
    with pytest.raises(ModelError, match="NoSuchOperator"):
        apply(graph, [], {"x": np.full([3, 2], 7, np.float32)})
    assert apply(graph, [], None) == (graph, [])


def test_runner_answers_the_same_in_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [(name, TRANSFORMS[name]) for name in TRANSFORMS]
    probe = {"x": np.full([3, 2], 7, np.float32)}
    found = []
    for threads in (1, 4):
        monkeypatch.setattr("mobile_export.machine.threads", lambda threads=threads: threads)
        graph, log = apply(parse(SOUND), steps, probe)
        found.append((graph.to_graph_def(), log))
    assert found[0] == found[1]


def test_runner_lets_a_lossy_transform_move_outputs_within_its_bound_only() -> None:
    graph = parse("x = Placeholder float32[?,2]\ns = Const float32[]: 1\ny = Mul(x, s)\ninput x = x:0\noutput y = y:0")

    def scale(factor: float):
        def change(graph: Graph) -> None:
            graph.set_constant("s", np.float32(factor))

        return change

    probe = {"x": np.ones([2, 2], np.float32)}
    _moved, log = apply(graph, [("a", Transform(broken(scale(1.01)).rewrite, tolerance=0.02))], probe)
    assert log[0].difference == pytest.approx(0.01, rel=1e-3)
    with pytest.raises(ConversionError, match=r"more than the 0\.02"):
        apply(graph, [("a", Transform(broken(scale(1.1)).rewrite, tolerance=0.02))], probe)


@pytest.mark.parametrize(
    ("reference", "other", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.0], [1.0, 2.5], 0.25),
        ([1.0, np.nan], [1.0, np.nan], 0.0),
        ([1.0, np.nan], [1.0, 2.0], np.inf),
        ([1.0, np.inf], [1.0, -np.inf], np.inf),
        ([1.0, 2.0], [np.nan, 2.0], np.inf),
    ],
)
def test_relative_difference(reference, other, expected: float) -> None:
    assert relative_difference(np.array(reference), np.array(other)) == expected


def test_relative_difference_of_other_shapes_and_types() -> None:
    assert relative_difference(np.zeros(2), np.zeros(3)) == np.inf
    assert relative_difference(np.zeros(2), np.zeros(2, np.float32)) == np.inf
    assert relative_difference(np.array([True]), np.array([False])) == np.inf
