"""Taking turns: what drifts does so for all, and every format has its turn."""

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from mobile_export import workers
from mobile_export.errors import NotRunnableError
from mobile_export.formats import FORMATS, Request
from mobile_export.runner import Edge
from mobile_export.samples import save_samples
from mobile_export.target import Preprocessing
from mobile_export.timing import File, Turns, time_by_turns, turns
from mobile_export.timing.feeds import feeds
from mobile_export.timing.turns import LEAST, MOST, PATIENCE, WARM_UP, by_turns, median_interval
from tests.formats.tf_graphs import make_graph
from tests.timing.files import product, samples_of

SIZE = 64


@dataclass
class Machine:
    """A computer whose clock is moved by what it computes alone, and which takes longer and longer for it."""

    drift: float = 0.0
    """Slower by this share with each second."""
    now: float = 0.0
    answered: list[str] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def answer(self, name: str, seconds: float) -> turns.Answer:
        def answer() -> None:
            self.now += seconds * (1 + self.drift * self.now)
            self.answered.append(name)

        return answer


def test_drift_slows_all_alike() -> None:
    machine = Machine(drift=0.5)
    found = by_turns({"a": machine.answer("a", 0.010), "b": machine.answer("b", 0.020)}, clock=machine.clock)
    assert median(found["b"]) / median(found["a"]) == pytest.approx(2, rel=0.03)

    machine = Machine(drift=0.5)
    one, other = (by_turns({n: machine.answer(n, s)}, clock=machine.clock)[n] for n, s in (("a", 0.01), ("b", 0.02)))
    assert median(other) / median(one) > 2.5  # one after the other: the second is blamed for the machine


def test_each_round_has_an_order_of_its_own_and_the_same_at_every_call() -> None:
    def rounds() -> list[tuple[str, ...]]:
        machine = Machine()
        by_turns({name: machine.answer(name, 0.01) for name in "abc"}, clock=machine.clock)
        timed = machine.answered[WARM_UP * 3 :: 2]  # of each turn, the first answer is not timed
        return [tuple(timed[at : at + 3]) for at in range(0, len(timed), 3)]

    found = rounds()
    assert len(set(found)) == 6
    assert all(set(one) == set("abc") for one in found)
    assert found == rounds()


def test_a_file_that_answers_fast_has_the_machine_to_itself_before_it_is_timed() -> None:
    machine = Machine()
    by_turns({name: machine.answer(name, 0.0005) for name in "ab"}, clock=machine.clock)
    turn = [machine.answered[WARM_UP * 2]] * 5  # four take as long as settling does
    assert machine.answered[WARM_UP * 2 : WARM_UP * 2 + 5] == turn
    assert machine.answered[WARM_UP * 2 + 5] != turn[0]


@pytest.mark.parametrize(
    ("seconds", "all_turns", "rounds"),
    [(0.01, 1, 50), (0.01, 10, 500), (0.01, 100, MOST), (1, 1, LEAST), (PATIENCE / 8, 1, 3), (2 * PATIENCE, 1, 1)],
)
def test_rounds_are_bounded_in_number_and_in_time(seconds: float, all_turns: float, rounds: int) -> None:
    machine = Machine()
    found = by_turns({"a": machine.answer("a", seconds)}, all_turns, machine.clock)  # two answers a turn
    assert len(found["a"]) == pytest.approx(rounds, abs=1)
    assert machine.now <= PATIENCE + 3 * seconds, "what warms up is bounded, too"


def test_the_interval_holds_the_median_in_95_of_100_cases() -> None:
    drawn = np.random.default_rng(0).exponential(1.0, (1000, 41))
    held = [low <= np.log(2) <= high for low, high in map(median_interval, drawn.tolist())]
    assert 0.94 < np.mean(held) < 0.985
    width = [high - low for low, high in map(median_interval, drawn.tolist())]
    longer = np.random.default_rng(1).exponential(1.0, (100, 400)).tolist()
    assert np.mean([high - low for low, high in map(median_interval, longer)]) < 0.5 * np.mean(width)


def test_few_times_tell_no_more_than_their_range() -> None:
    assert median_interval([3.0, 1.0, 2.0]) == (1.0, 3.0)
    assert median_interval([1.0]) == (1.0, 1.0)


def timed(files: dict[str, File], samples: Path, threads: int = 1, room: float | None = None) -> Turns:
    """In a worker, as it is meant to be."""
    task = workers.Task("time", time_by_turns, (files, samples, {}, threads, room, 0.05))
    found: Turns = workers.run([task], jobs=1)[0]
    return found


def test_every_format_is_timed_beside_all_others(tmp_path: Path) -> None:
    files = {form: product(tmp_path, form, SIZE) for form in FORMATS}
    found = timed(files, samples_of(tmp_path, SIZE), threads=2)
    assert found.untimed == {}
    assert list(found.timings) == list(FORMATS)
    assert {timing.threads for timing in found.timings.values()} == {2}
    assert all(0 < timing.median <= timing.p90 for timing in found.timings.values())
    assert all(low <= t.median <= high for t in found.timings.values() for low, high in [t.interval])
    assert len({timing.answers for timing in found.timings.values()}) == 1


@pytest.mark.parametrize("form", ["tflite", "onnx", "graphdef", "memmapped"])
def test_what_has_more_to_compute_takes_longer(tmp_path: Path, form: str) -> None:
    found = {}
    samples = {"x": np.ones((1, 64), np.float32), "large": np.ones((1, 1600), np.float32)}
    files = {"small": product(tmp_path, form, 64), "large": product(tmp_path, form, 1600)}
    for name, file in files.items():
        runner = FORMATS[form].open(file.path, threads=1)
        fed = {"x": samples["x" if name == "small" else "large"]}
        found[name] = lambda runner=runner, fed=fed: runner(fed)
    times = by_turns(found, seconds=0.05)
    assert median(times["large"]) > 2 * median(times["small"])


def test_weights_that_lie_anywhere_in_a_file_are_not_copied_at_every_answer(tmp_path: Path) -> None:
    """TensorFlow copies what it is fed from an address that does not suit it: plain would seem slower than mapped."""
    files = {form: product(tmp_path, form, 2000) for form in ("graphdef", "memmapped")}
    found = timed(files, samples_of(tmp_path, 2000)).timings
    assert found["graphdef"].median < 1.5 * found["memmapped"].median


def test_what_cannot_run_here_is_left_out_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "inverse.tflite"
    inverse = make_graph(
        lambda tf: (lambda x: ([x], [tf.linalg.inv(x)]))(tf.placeholder(tf.float32, (1, 64, 64))), "x", "y"
    )
    FORMATS["tflite"].write(inverse, [Request("inverse", path, allow_select_tf_ops=True)], None)
    samples = tmp_path / "samples.npz"
    save_samples(samples, {"x": np.eye(64, dtype=np.float32)[None]})
    found = timed({"inverse": File("tflite", path), "graph": graph_of(inverse, tmp_path)}, samples)
    assert found.untimed == {"inverse": "not run: no interpreter here has the Flex delegate"}
    assert list(found.timings) == ["graph"]
    with pytest.raises(NotRunnableError):
        FORMATS["tflite"].open(path)({"x": np.eye(64, dtype=np.float32)[None]})


def graph_of(graph, folder: Path) -> File:
    FORMATS["graphdef"].write(graph, [Request("graph", folder / "graph.pb")], None)
    return File("graphdef", folder / "graph.pb")


def test_what_does_not_fit_into_memory_at_once_is_timed_in_groups(tmp_path: Path) -> None:
    files = {form: product(tmp_path, form, SIZE) for form in ("graphdef", "tflite", "onnx")}
    found = timed(files, samples_of(tmp_path, SIZE), room=1)
    assert list(found.timings) == list(files)


@pytest.mark.parametrize(
    ("room", "groups"),
    [(100, [["c", "a", "d", "b"]]), (10, [["c", "a", "d"], ["b"]]), (8, [["c", "a"], ["d"], ["b"]]), (0, "cadb")],
)
def test_groups_hold_what_fits_beside_the_smallest(room: float, groups: list[list[str]]) -> None:
    needed = {"a": 3, "b": 8, "c": 2, "d": 5}
    assert turns._groups(needed, room) == [list(group) for group in groups]


def test_groups_are_brought_to_the_speed_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is half as fast for the second group: what both groups share shows it."""
    files = {form: product(tmp_path, form, SIZE) for form in ("graphdef", "tflite", "onnx")}
    smallest, middle, largest = sorted(files, key=lambda form: files[form].path.stat().st_size)
    pace = iter([1.0, 2.0, 4.0])

    def measured(answers: dict[str, turns.Answer], _: float) -> dict[str, list[float]]:
        factor = next(pace)
        return {name: [factor * {smallest: 1.0, middle: 3.0, largest: 5.0}[name]] * 11 for name in answers}

    monkeypatch.setattr(turns, "by_turns", measured)
    found = time_by_turns(files, samples_of(tmp_path, SIZE), {}, 1, room=1).timings
    assert {name: timing.median for name, timing in found.items()} == {smallest: 1, middle: 3, largest: 5}


def test_a_file_is_fed_what_it_takes_itself() -> None:
    inputs = (Edge("image", "int8", (2, 1), 0.5, -1), Edge("plain", "float32", (2, 1)))
    recipes = {"image": Preprocessing(scale=0.1, mean=1.0)}
    samples = {name: np.array([[20.0], [40.0], [60.0]]) for name in ("image", "plain")}
    fed = feeds(inputs, samples, recipes)
    assert fed["image"].dtype == np.int8
    assert fed["image"].tolist() == [[1], [5]]  # (20 · 0.1 − 1) / 0.5 − 1
    assert fed["plain"].tolist() == [[20.0], [40.0]]


def threads_of_tensorflow(file: File, threads: int) -> int:
    """How many threads it has started to run kernels, as Linux lists them."""
    runner = FORMATS[file.format].open(file.path, threads=threads)
    runner({"x": np.ones((1, SIZE), np.float32)})  # its threads end with it
    return [task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")].count("tf_Compute")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are listed in /proc")
@pytest.mark.parametrize("form", ["graphdef", "memmapped", "saved_model"])
def test_tensorflow_has_the_threads_that_it_is_given(tmp_path: Path, form: str) -> None:
    file = product(tmp_path, form, SIZE)
    tasks = [workers.Task("count", threads_of_tensorflow, (file, count)) for count in (1, 3)]
    assert workers.run(tasks, jobs=1) == [1, 3]
