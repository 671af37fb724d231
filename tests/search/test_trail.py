"""Which trial is the best of a search, and which comes nearest where none holds all limits."""

from mobile_export.formats import Layer
from mobile_export.planning.plan import choices
from mobile_export.quantize.scheme import Scheme
from mobile_export.search.find import objection
from mobile_export.search.trail import Outcome, Proposal, Reading, Trail, Trial
from mobile_export.target import Artifact


def missed_by(scheme: Scheme, name: str, value: float, limit: float, size: int) -> Trial:
    reading = Reading("size" if name == "size" else "accuracy", name, value, limit, False, False)
    return Trial(Proposal(scheme, "uniform"), Outcome("missed", size, (reading,)))


def test_the_nearest_to_a_size_is_the_smallest() -> None:
    trials = [missed_by(Scheme(p), "size", size, 3000, size) for p, size in (("float32", 42_000), ("int8", 8_000))]
    assert Trail(tuple(trials)).nearest is trials[1]


def test_what_cannot_be_measured_is_not_near() -> None:
    trials = [missed_by(Scheme(p), "accuracy_drop", drop, 0.01, 1) for p, drop in (("a", float("nan")), ("b", 0.5))]
    assert Trail(tuple(trials)).nearest is trials[1]


def test_a_file_that_computes_in_integers_has_a_layer_that_does() -> None:
    layers = (Layer("table", "Gather", 1000), Layer("dense", "Gemm", 100))
    context = {"choices": choices()}
    integer, free = (
        Artifact.model_validate(
            {"name": "a", "format": "onnx", "precision": "auto", "compute": compute}, context=context
        )
        for compute in ("integer", "any")
    )
    lookups_alone, computing = Scheme.mixed("int8", {"dense": "float16"}), Scheme.mixed("int8", {"table": "float16"})
    assert objection(integer, layers, lookups_alone) == "no layer would compute in integers"
    assert objection(integer, layers, computing) == objection(free, layers, lookups_alone) == ""
    assert objection(integer, (), Scheme("int8")) == ""
