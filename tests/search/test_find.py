"""Searches on a real network that breaks plain int8, in both formats: what is found holds, and is not always the same.

Its measurements are real: quantizers, runtimes, the checks of a build, worker processes, a Dask cluster.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from mobile_export.errors import ConversionError, MissingToolError, TargetError
from mobile_export.executors import Crew, open_crew
from mobile_export.formats import QUANTIZABLE
from mobile_export.pipeline import Prepared, measure, prepare, refer
from mobile_export.published.artifact_files import artifact_size
from mobile_export.quantize.scheme import Scheme
from mobile_export.search.bench import Job, try_file, write_file
from mobile_export.search.find import Found, find
from mobile_export.search.journal import Journal
from mobile_export.search.trail import Outcome, Trial
from mobile_export.target import Artifact, Target
from mobile_export.target import Search as SearchBounds
from tests.dask_cluster import dask_cluster
from tests.search.broken import make_target, rescaled, trained

FORMATS = ("tflite", "onnx")
NETWORKS = {
    "sound": trained,
    "broken at conv1": lambda: rescaled(trained(), "conv1", 4),
    "broken at conv2": lambda: rescaled(trained(), "conv2", 12),
}
DROP = "limits = { accuracy_drop = 0.01 }"
INTEGER = f'compute = "integer", {DROP}'


@dataclass(frozen=True)
class Ground:
    """What a search needs, as a build makes it ready."""

    target: Target
    artifact: Artifact
    folder: Path
    ready: Prepared

    @property
    def job(self) -> Job:
        return Job(self.target, self.artifact, self.ready.frozen_size)

    def find(self, out: Path, crew: Crew, journal: Journal) -> Found:
        return find(self.folder, self.job, out, crew=crew, journal=journal)

    def with_artifact(self, **changed: object) -> "Ground":
        return replace(self, artifact=self.artifact.model_copy(update=changed))


Grounds = Callable[[str, str, str], Ground]
Search = Callable[[str, str, str], tuple[Ground, Found, Path]]


@pytest.fixture(scope="module")
def ground(tmp_path_factory) -> Grounds:
    """Format, network, and the artifact's other keys → the work folder; made once."""

    @cache
    def make(form: str, network: str, keys: str) -> Ground:
        root = tmp_path_factory.mktemp("search")
        target = make_target(root, NETWORKS[network](), f'format = "{form}", precision = "auto", {keys}')
        (root / "work").mkdir()
        ready = prepare(target, root / "work")
        refer(target, root / "work")
        return Ground(target, target.artifacts[0], root / "work", ready)

    return make


@pytest.fixture(scope="module")
def search(ground: Grounds) -> Search:
    """The same → how the search ends with two workers, and its file; searched once."""

    @cache
    def run(form: str, network: str, keys: str) -> tuple[Ground, Found, Path]:
        here = ground(form, network, keys)
        out = here.folder / "found"
        with open_crew(None, jobs=2) as crew:
            return here, here.find(out, crew, Journal(here.folder / "journal")), out

    return run


def uniform(found: Found, precision: str) -> Trial:
    return next(trial for trial in found.trail.trials if trial.scheme == Scheme(precision))


def value(trial: Trial, name: str) -> float:
    return next(reading.value for reading in trial.outcome.readings if reading.name == name)


def float_size(here: Ground, folder: Path) -> int:
    write_file(here.folder, here.job, Scheme("float32"), folder / "float32")
    return artifact_size(folder / "float32")


@pytest.mark.parametrize("form", FORMATS)
def test_a_sound_network_stays_in_one_precision(form: str, search: Search) -> None:
    _, found, out = search(form, "sound", DROP)
    assert (found.chosen.passed, found.scheme.layers, found.latency_ratio) == (True, (), None)
    assert artifact_size(out) == min(trial.size for trial in found.trail.trials if trial.passed)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("network", "keys"), [("broken at conv1", DROP), ("broken at conv1", INTEGER), ("broken at conv2", INTEGER)]
)
def test_what_plain_int8_misses_a_mixture_holds(
    form: str, network: str, keys: str, search: Search, tmp_path: Path
) -> None:
    here, found, out = search(form, network, keys)
    plain = uniform(found, "int8")
    assert plain.outcome.verdict == "missed"
    assert value(plain, "accuracy_drop") > 0.2
    assert found.chosen.passed
    assert artifact_size(out) < 0.45 * float_size(here, tmp_path)
    judged = here.artifact.model_copy(update={"precision": found.scheme.precision})
    assert measure(here.target, judged, out, here.ready.frozen_size, here.folder).passed
    assert len(found.scheme.precisions) >= 2
    assert "the smallest of" in found.sentence
    assert "alone does not: " in found.sentence


@pytest.mark.parametrize("form", FORMATS)
def test_integer_files_keep_layers_in_float_or_wider_integers_and_nothing_else(form: str, search: Search) -> None:
    _, found, _ = search(form, "broken at conv1", INTEGER)
    assert found.scheme.precision == "int8"
    tried = {precision for trial in found.trail.trials for precision in trial.scheme.precisions}
    assert tried <= {"int8", "int16x8", "float16", "float32"}
    assert not any(trial.scheme.layers == () and "float" in trial.scheme.precision for trial in found.trail.trials)


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_broken_elsewhere_gets_another_answer(form: str, search: Search) -> None:
    for network, conv in (("broken at conv1", ("conv1", "conv2")), ("broken at conv2", ("conv2", "conv3"))):
        kept = sorted(name for name, _ in search(form, network, INTEGER)[1].scheme.layers)
        assert [name.split("_")[0] for name in kept] == list(conv)


def test_without_float_operators_no_layer_is_float(search: Search) -> None:
    _, found, _ = search("tflite", "broken at conv1", f"allow_float_operators = false, {DROP}")
    assert {
        precision for t in found.trail.trials if t.proposal.kind == "candidate" for precision in t.scheme.precisions
    } <= {
        "int8",
        "int16x8",
    }


def test_a_latency_that_files_miss_drops_them_by_measurement(search: Search) -> None:
    """Weights of four bits are unpacked at every answer, here; they miss the limit and nothing is mixed with them."""
    _, found, _ = search("tflite", "broken at conv1", "limits = { accuracy_drop = 0.01, latency_ratio = 1.2 }")
    slow = uniform(found, "weight_int4")
    assert value(slow, "latency_ratio") > 1.2
    assert not slow.outcome.repairable
    assert found.chosen.passed
    assert found.scheme.precision != "weight_int4"
    assert len(found.scheme.precisions) >= 2
    assert found.trail.best is not None
    assert found.latency_ratio == value(found.trail.best, "latency_ratio") <= 1.2


def test_where_nothing_holds_the_nearest_is_written_and_says_so(search: Search) -> None:
    here, found, out = search("tflite", "sound", "limits = { accuracy = 1.0 }")
    assert not found.chosen.passed
    assert "no file holds all limits" in found.sentence
    judged = here.artifact.model_copy(update={"precision": found.scheme.precision})
    assert not measure(here.target, judged, out, here.ready.frozen_size, here.folder).passed


def test_the_budget_ends_it_with_the_best_so_far(search: Search) -> None:
    _, found, out = search("tflite", "broken at conv1", f"search.candidates = 8, {DROP}")
    assert len(found.trail.trials) == 8
    assert found.chosen.passed
    assert found.scheme == Scheme("float16")
    assert found.sentence.endswith("the search ended after 8 files, before it was done")
    assert artifact_size(out) == uniform(found, "float16").size


def counting(crew: Crew, most: int) -> tuple[Crew, list[object]]:
    """The same crew, for `most` calls; then comes Ctrl-C."""
    calls: list[object] = []
    submit = crew.executor.submit

    def counted(*call, **named):
        calls.append(call)
        if len(calls) > most:
            raise KeyboardInterrupt
        return submit(*call, **named)

    crew.executor.submit = counted
    return crew, calls


def test_an_interrupted_search_goes_on_where_it_was(search: Search, tmp_path: Path) -> None:
    here, whole, _ = search("tflite", "broken at conv1", INTEGER)
    with pytest.raises(KeyboardInterrupt), open_crew(None, jobs=1) as crew:
        here.find(tmp_path / "a", counting(crew, 6)[0], Journal(tmp_path / "journal"))
    with (tmp_path / "journal").open("ab") as file:
        file.write(b'{"kind": "cand')  # and it was killed while it wrote
    with open_crew(None, jobs=1) as crew:
        counted, calls = counting(crew, 1000)
        found = here.find(tmp_path / "a", counted, Journal(tmp_path / "journal"))
    assert found == whole
    assert len(whole.trail.trials) - 6 <= len(calls) < len(whole.trail.trials)
    with open_crew(None, jobs=1) as crew:
        assert here.find(tmp_path / "b", counting(crew, 0)[0], Journal(tmp_path / "journal")) == whole
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_cluster_finds_the_same(search: Search, tmp_path: Path) -> None:
    here, whole, out = search("tflite", "broken at conv1", INTEGER)
    with dask_cluster() as (address, _), open_crew(address, 1, QUANTIZABLE["tflite"].tools) as crew:
        found = here.find(tmp_path / "a", crew, Journal(tmp_path / "journal"))
    assert found == whole
    assert (tmp_path / "a").read_bytes() == out.read_bytes()


def test_a_metric_of_ones_own_stays_here(ground: Grounds, tmp_path: Path) -> None:
    here = ground("tflite", "sound", DROP)
    (tmp_path / "own.py").write_text("")
    evaluation = here.target.data.evaluation
    assert evaluation is not None
    own = type(evaluation).model_validate(
        {"source": str(evaluation.source), "metric": "own:score"}, context={"folder": tmp_path}
    )
    target = here.target.model_copy(update={"data": here.target.data.model_copy(update={"evaluation": own})})
    with open_crew(None, 1) as local, pytest.raises(TargetError, match=r"own:score is your own code"):
        crew = Crew(local.executor, local.share, remote=True)
        replace(here, target=target).find(tmp_path / "a", crew, Journal(tmp_path / "j"))


def test_integers_without_calibration_are_refused(ground: Grounds, tmp_path: Path) -> None:
    here = ground("tflite", "sound", DROP).with_artifact(compute="integer")
    target = here.target.model_copy(update={"data": here.target.data.model_copy(update={"calibration": None})})
    with open_crew(None, 1) as crew, pytest.raises(TargetError, match=r"add \[data\] calibration"):
        replace(here, target=target).find(tmp_path / "a", crew, Journal(tmp_path / "j"))


def test_what_was_larger_in_another_run_is_tried_again_where_it_is_not(search: Search, tmp_path: Path) -> None:
    here, whole, _ = search("tflite", "broken at conv1", INTEGER)
    journal = Journal(tmp_path / "journal")
    for trial in whole.trail.trials:
        if trial.outcome.verdict != "larger":
            journal.add(trial.proposal.kind, trial.scheme, trial.outcome)
    assert whole.trail.best is not None
    journal.add("candidate", whole.scheme, Outcome("larger", whole.trail.best.size))
    with open_crew(None, jobs=2) as crew:
        assert here.find(tmp_path / "a", crew, journal) == whole


def test_a_search_without_time_says_so(ground: Grounds, tmp_path: Path) -> None:
    here = ground("tflite", "sound", DROP).with_artifact(search=SearchBounds(seconds=1e-9))
    with (
        open_crew(None, 1) as crew,
        pytest.raises(ConversionError, match=r"artifact 'file': .* ended after 1e-09 s; give it more in search"),
    ):
        here.find(tmp_path / "a", crew, Journal(tmp_path / "j"))


def test_where_nothing_can_be_made_the_cause_is_told(ground: Grounds, tmp_path: Path) -> None:
    here = ground("tflite", "sound", DROP)
    journal = Journal(tmp_path / "j")
    for precision in QUANTIZABLE["tflite"].precisions:
        journal.add("size", Scheme(precision), Outcome("refused", note="the kernel is missing"))
    with open_crew(None, 1) as crew, pytest.raises(ConversionError, match="tried: the kernel is missing"):
        here.find(tmp_path / "a", crew, journal)


def test_a_cluster_that_goes_away_is_named(search: Search, tmp_path: Path) -> None:
    here, _, _ = search("tflite", "broken at conv1", INTEGER)
    with (
        dask_cluster(workers=1) as (address, cluster),
        pytest.raises(MissingToolError, match="the cluster is gone"),
        open_crew(address, 1) as crew,
    ):
        submit = crew.executor.submit

        def submit_and_close(*call):
            future = submit(*call)
            cluster.close()
            return future

        crew.executor.submit = submit_and_close
        here.find(tmp_path / "a", crew, Journal(tmp_path / "journal"))


def test_a_file_that_the_quantizer_refuses_is_a_finding(ground: Grounds, tmp_path: Path) -> None:
    here = ground("tflite", "sound", DROP)
    with open_crew(None, 1) as crew:
        here.find(tmp_path / "a", crew, Journal(tmp_path / "j"))
    outcome = try_file(here.folder, here.job, Scheme.mixed("int8", {"no such layer": "float16"}), "candidate")
    assert outcome.verdict == "refused"
    assert "no such layer" in outcome.note


def test_files_are_run_for_what_is_asked_of_them_alone(search: Search) -> None:
    here, _, _ = search("tflite", "sound", DROP)
    size = try_file(here.folder, here.job, Scheme("int8"), "size")
    assert size == Outcome("counted", size.size)
    assert try_file(here.folder, here.job, Scheme("int8"), "candidate", size.size) == Outcome("larger", size.size)
    probe = try_file(here.folder, here.job, Scheme("int8"), "probe", size.size)
    assert probe.quality > 0
    assert "accuracy_drop" not in {reading.name for reading in probe.readings}
