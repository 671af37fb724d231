"""The strategy on networks that are quantized for real: smallest, deterministic, within budget, no fixed fallback."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mobile_export.formats.format import Layer
from mobile_export.quantize.scheme import Scheme
from mobile_export.search.rounds import Budget, run_rounds
from mobile_export.search.strategy import Space, _alike, _fewest, _lowered, grouped, strategy, together
from mobile_export.search.trail import Outcome, Proposal, Reading, Trail, Trial
from tests.search.toy import BITS, Toy

INTEGERS = ("int8", "int16x8")


def why(trail: Trail) -> Counter:
    return Counter(trial.proposal.why for trial in trail.trials)


def best(trail: Trail) -> Trial:
    assert trail.best is not None
    return trail.best


def kept(trail: Trail) -> set[str]:
    return {name for name, _ in best(trail).scheme.layers}


def test_a_sound_network_gets_the_smallest_uniform_precision_that_passes() -> None:
    trail = Toy.of(6).search(space=Toy.of(6).space(INTEGERS))
    assert best(trail).scheme == Scheme("int8", per_channel=False)
    assert why(trail) == {"uniform": 2, "choices": 1}


@pytest.mark.parametrize("first", [0, 1, 3])
def test_the_pair_of_layers_with_outliers_is_kept_and_nothing_else(first: int) -> None:
    toy = Toy.of(6).rescaled(first)
    trail = toy.search(space=toy.space(INTEGERS))
    assert not next(t for t in trail.trials if t.scheme == Scheme("int8")).passed
    assert kept(trail) == {f"layer{first}", f"layer{first + 1}"}
    assert best(trail).scheme.precision == "int8"
    assert best(trail).size < 0.45 * toy.size(Scheme())


def test_sparing_one_layer_of_the_pair_shows_nothing_but_quantizing_it_alone_does() -> None:
    toy = Toy.of(6).rescaled(1)
    quality = {name: toy.try_file(Scheme.mixed("int8", {name: "float32"}), 0, math.inf).quality for name in names(toy)}
    assert max(quality.values()) < toy.try_file(Scheme("int8"), 0, math.inf).quality + 3
    alone = {name: toy.try_file(Scheme.mixed("float32", {name: "int8"}), 0, math.inf).quality for name in names(toy)}
    assert sorted(alone, key=lambda name: alone[name])[:2] in (["layer1", "layer2"], ["layer2", "layer1"])


def names(toy: Toy) -> list[str]:
    return [layer.name for layer in toy.layers]


def test_what_breaks_weights_alone_keeps_the_weights_alone() -> None:
    """One column of a matrix holds a huge weight that hardly anything is multiplied with: a trap for its scale."""
    toy = Toy.of(6)
    toy.samples[:, 5] *= 1e-3
    toy.weights[0][5, :] *= 1e3
    trail = toy.search(sqnr=22, space=toy.space(INTEGERS))
    assert kept(trail) == {"layer0"}


def test_every_group_is_probed_once() -> None:
    toy = Toy.of(9).rescaled(2)
    trail = toy.search(sqnr=20, space=toy.space(("int8",), groups=4))
    probes = [trial.scheme for trial in trail.trials if trial.proposal.kind == "probe"]
    assert [dict(scheme.layers) for scheme in probes] == [
        dict.fromkeys(group, "int8") for group in grouped(toy.layers, 4)
    ]
    assert {scheme.precision for scheme in probes} == {"float32"}


def test_groups_that_are_kept_give_back_single_layers() -> None:
    toy = Toy.of(9).rescaled(2)
    trail = toy.search(sqnr=20, space=toy.space(("int8",), groups=3))
    assert kept(trail) == {"layer2", "layer3"}
    assert why(trail)["refinement"] > 0


def test_nothing_that_was_chosen_can_be_given_back() -> None:
    toy = Toy.of(8).rescaled(0).rescaled(4, range(3))
    trail = toy.search(sqnr=28, space=toy.space(INTEGERS))
    scheme = best(trail).scheme
    for name, _ in scheme.layers:
        less = Scheme.mixed(
            scheme.precision, {n: p for n, p in scheme.layers if n != name}, per_channel=scheme.per_channel
        )
        assert toy.try_file(less, 28, math.inf).verdict == "missed"


def test_weights_of_four_bits_are_mixed_with_others() -> None:
    toy = Toy.of(6)
    trail = toy.search(sqnr=15)
    assert best(trail).scheme.precision == "weight_int4"
    assert best(trail).size < toy.size(Scheme("int8"))


def test_a_limit_that_mixtures_cannot_help_is_not_searched_for() -> None:
    trail = Toy.of(6).search(most=10)
    assert trail.best is None
    assert set(why(trail)) == {"uniform"}


def test_a_limit_that_float_misses_too_ends_soon() -> None:
    trail = Toy.of(6).search(sqnr=math.nan)
    assert trail.best is None
    assert why(trail)["bisection"] == why(trail)["refinement"] == 0
    assert trail.nearest is not None
    assert trail.nearest.scheme == Scheme("float16")


@pytest.mark.parametrize("candidates", [1, 2, 7, 12])
def test_the_number_of_files_is_bounded_and_the_best_so_far_is_taken(candidates: int) -> None:
    toy = Toy.of(6).rescaled(1)
    trail = toy.search(candidates=candidates)
    assert len(trail.trials) == candidates
    assert trail.ended == f"{candidates} files"
    assert (trail.best is not None) == (candidates >= 4)
    whole = toy.search()
    assert whole.trials[:candidates] == trail.trials
    assert whole.ended == ""


def test_the_same_measurements_lead_to_the_same_trials() -> None:
    toy = Toy.of(12).rescaled(3).rescaled(8)
    assert toy.search(sqnr=20) == toy.search(sqnr=20)


def test_no_file_is_tried_twice() -> None:
    trail = Toy.of(12).rescaled(3).rescaled(8).search(sqnr=20)
    tried = [(trial.scheme, trial.proposal.kind) for trial in trail.trials]
    assert len(set(tried)) == len(tried)


def test_other_broken_networks_get_other_answers() -> None:
    answers = [best(toy.search(space=toy.space(INTEGERS))).scheme for toy in (Toy.of(6).rescaled(k) for k in range(4))]
    assert len(set(answers)) == 4


class Choosy(Toy):
    """A network whose one huge sample spoils ranges by extremes, and no others."""

    def run(self, scheme: Scheme) -> np.ndarray:
        if scheme.ranges == "percentile" or scheme.precision != "int8":
            return super().run(scheme)
        spoilt = Toy(self.weights, np.concatenate([self.samples, 1e3 * self.samples[:1]]))
        return spoilt.run(scheme)[: len(self.samples)]


def test_another_choice_of_ranges_is_tried_before_layers_are_kept() -> None:
    toy = Choosy.of(6)
    choices = {"ranges": ("minmax", "percentile"), "weights": ("minmax", "mse")}
    space = Space(("int8", "float32"), ("int8", "float32"), toy.layers, ("int8",), choices)
    trail = toy.search(space=space)
    assert best(trail).scheme == Scheme("int8", per_channel=False, ranges="percentile")
    assert why(trail)["sensitivity"] == 0


def test_ranges_of_activations_matter_only_where_there_are_some() -> None:
    toy = Toy.of(4)
    choices = {"ranges": ("minmax", "percentile"), "weights": ("minmax", "mse")}
    trail = toy.search(space=Space(("weight_int4",), ("weight_int4", "float32"), toy.layers, ("int8",), choices))
    assert "percentile" not in {trial.scheme.ranges for trial in trail.trials}
    assert "mse" in {trial.scheme.weights for trial in trail.trials}


@pytest.mark.parametrize(("count", "most"), [(1, 4), (4, 4), (5, 4), (9, 4), (100, 32)])
def test_groups_hold_every_layer_once_in_order(count: int, most: int) -> None:
    layers = [Layer(f"l{index}", "CONV", 1) for index in range(count)]
    groups = grouped(layers, most)
    assert [name for group in groups for name in group] == [layer.name for layer in layers]
    assert len(groups) == min(count, most)
    assert max(map(len, groups)) - min(map(len, groups)) <= 1


def test_steps_side_by_side_share_rounds() -> None:
    def ask(*precisions: str):
        seen = []
        for precision in precisions:
            seen += yield [Proposal(Scheme(precision), "uniform")]
        return seen

    both = together([ask("a", "b"), ask("c"), ask()])
    rounds = [next(both)]
    try:
        while True:
            rounds.append(both.send([Trial(p, Outcome("missed")) for p in rounds[-1]]))
    except StopIteration as ended:
        results = ended.value
    assert [[p.scheme.precision for p in asked] for asked in rounds] == [["a", "c"], ["b"]]
    assert [[t.scheme.precision for t in result] for result in results] == [["a", "b"], ["c"], []]


def test_a_trial_is_repairable_where_its_answers_alone_are_wrong() -> None:
    answers = Reading("parity", "sqnr", 3.0, 10.0, True, False)
    large = Reading("size", "size", 3.0, 1.0, False, False)
    assert Outcome("missed", 3, (answers,)).repairable
    assert not Outcome("missed", 3, (answers, large)).repairable
    assert not Outcome("missed", 3, (large,)).repairable
    assert not Outcome("refused", note="no").repairable
    assert Outcome("missed", 3, (Reading("parity", "sqnr", math.nan, 10.0, True, False),)).quality == -math.inf


def test_what_cannot_be_made_takes_nothing_of_the_budget() -> None:
    toy = replace(Toy.of(6), refused=("weight_int4", "int8", "int16x8", "weight_int8"))
    trail = toy.search(candidates=2)
    assert best(trail).scheme == Scheme("float16")
    assert [t.outcome.note for t in trail.trials if t.outcome.verdict == "refused"] == [f"no {p}" for p in toy.refused]


def test_where_nothing_can_be_made_the_trail_says_why() -> None:
    trail = replace(Toy.of(6), refused=tuple(BITS)).search()
    assert (trail.best, trail.nearest, trail.ended) == (None, None, "")
    assert [t.outcome.note for t in trail.trials] == [f"no {precision}" for precision in BITS]


def test_what_was_not_begun_in_time_ends_the_search() -> None:
    toy = Toy.of(6).rescaled(1)

    def evaluate(proposals: Sequence[Proposal], bound: int | None, deadline: float) -> list[Outcome | None]:
        """Files of floats take too long to run."""
        late = [p.kind == "candidate" and "float" in p.scheme.precision for p in proposals]
        return [None if over else toy.outcome(p, 25) for over, p in zip(late, proposals, strict=True)]

    trail = run_rounds(strategy(toy.space()), evaluate, Budget(seconds=60, candidates=100))
    assert trail.ended == "60 s"
    assert {trial.scheme.precision for trial in trail.trials} == {"weight_int4", "weight_int8", "int8", "int16x8"}


def test_what_layers_may_be_to_answer_better() -> None:
    levels = ("weight_int4", "int8", "int16x8", "dynamic", "weight_int8", "float16", "float32")
    space = Space(levels, levels, calibrated=("int8", "int16x8"))
    assert space.above("int8") == ("int16x8", "weight_int8", "float16", "float32")
    assert space.above("weight_int4") == space.above("int16x8") == ("weight_int8", "float16", "float32")
    assert space.above("float32") == space.above("unknown") == ()


def test_a_precision_of_the_same_size_and_kind_is_not_repaired_again() -> None:
    def trial(precision: str, size: int) -> Trial:
        return Trial(Proposal(Scheme(precision), "uniform"), Outcome("missed", size))

    levels = ("weight_int4", "int8", "int16x8", "dynamic", "weight_int8", "float16", "float32")
    space = Space(levels, levels, calibrated=("int8", "int16x8"))
    assert _alike(space, trial("int16x8", 104), trial("int8", 100))
    assert not _alike(space, trial("int16x8", 106), trial("int8", 100))
    assert not _alike(space, trial("int8", 101), trial("int16x8", 100))  # it was no level there
    assert not _alike(space, trial("weight_int8", 101), trial("int8", 100))
    assert _alike(space, trial("dynamic", 101), trial("weight_int8", 100))
    assert not _alike(space, trial("weight_int8", 190), trial("weight_int4", 100))


def drive(steps, verdict):
    """Run a step on invented verdicts; sizes count layers that are kept. Returns how it ends, and all that it tried."""
    tried: list[Trial] = []
    try:
        asked = next(steps)
        while True:
            trials = [Trial(p, Outcome(verdict(p.scheme), size=len(p.scheme.layers))) for p in asked]
            tried += trials
            asked = steps.send(trials)
    except StopIteration as ended:
        return ended.value, tried


BASE = Trial(Proposal(Scheme("int8"), "uniform"), Outcome("missed", 0))
LAYERS = [(f"l{index}",) for index in range(8)]


def test_more_layers_than_are_worth_while_mean_fewer() -> None:
    """Two or three kept layers pass; four are larger than another file that passes."""
    verdicts = {1: "missed", 2: "passed", 3: "passed"}
    found, tried = drive(_fewest(BASE, LAYERS, "float16"), lambda scheme: verdicts.get(len(scheme.layers), "larger"))
    assert [len(trial.scheme.layers) for trial in tried] == [4, 2, 1]
    assert len(found.scheme.layers) == 2


def test_where_only_all_layers_would_do_there_is_no_mixture() -> None:
    found, tried = drive(_fewest(BASE, LAYERS, "float16"), lambda scheme: "missed")
    assert found is None
    assert [len(trial.scheme.layers) for trial in tried] == [4, 6, 7]


@pytest.mark.parametrize("enough", [0, 1, 2, 3, 4])
def test_as_many_as_possible_are_given_back_together(enough: int) -> None:
    """Each of four layers can do without its float; but `enough` have to keep it."""
    best = Trial(
        Proposal(Scheme.mixed("int8", {f"l{k}": "float16" for k in range(4)}), "bisection"), Outcome("passed", 4)
    )
    found, _ = drive(_lowered(best, LAYERS[:4], "int8"), lambda s: "passed" if len(s.layers) >= enough else "missed")
    assert len(found.scheme.layers) == enough


def test_larger_precisions_than_one_that_passes_are_not_run() -> None:
    trail = Toy.of(6).search()
    assert not {"float16", "float32"} & {t.scheme.precision for t in trail.trials if t.proposal.kind == "candidate"}


def test_what_passes_stays_where_a_smaller_one_cannot_be_repaired() -> None:
    """Both layers of two are broken: there is no mixture, and wider integers are what is left, with fewer scales."""
    toy = Toy.of(2).rescaled(0, by=20)
    trail = toy.search(sqnr=20, space=toy.space(INTEGERS))
    assert best(trail).scheme.precision == "int16x8"
    assert {t.scheme for t in trail.trials} >= {Scheme("int8"), Scheme("int16x8", per_channel=False)}


@pytest.mark.parametrize(("drop", "kept"), [(0.0253, "percentile"), (0.0275, "minmax"), (0.04, "minmax")])
def test_a_choice_is_kept_that_misses_by_less_though_answers_are_hardly_cleaner(drop: float, kept: str) -> None:
    """Of a limit of 0.02, that minmax ranges miss by 0.0085."""
    layers = tuple(Layer(f"layer{index}", "DENSE", 256) for index in range(4))
    space = Space(("int8", "float32"), ("int8", "float32"), layers, ("int8",), {"ranges": ("minmax", "percentile")})

    def outcome(proposal: Proposal) -> Outcome:
        scheme = proposal.scheme
        size = 10_000 if scheme.precision == "float32" else 1000 + 500 * len(scheme.layers)
        found = drop if scheme.ranges == "percentile" else 0.0285
        lost = found if scheme.precision == "int8" and len(scheme.layers) < 2 else 0.0
        cleaner = 20.5 if scheme.ranges == "percentile" else 20.0
        readings = (
            Reading("accuracy", "accuracy_drop", lost, 0.02, False, lost <= 0.02),
            Reading("parity", "sqnr", cleaner, 10.0, True, True),
        )
        return Outcome("passed" if lost <= 0.02 else "missed", size, readings)

    def evaluate(proposals: Sequence[Proposal], bound: int | None, deadline: float) -> list[Outcome | None]:
        return [outcome(proposal) for proposal in proposals]

    trail = run_rounds(strategy(space), evaluate, Budget(60, 200))
    mixtures = [trial.scheme.ranges for trial in trail.trials if trial.proposal.why == "bisection"]
    assert set(mixtures) == {kept}
