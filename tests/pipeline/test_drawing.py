"""What devices run is drawn from all samples, and has those on which other kernels show."""

from pathlib import Path

import numpy as np
import pytest

from mobile_export.pipeline import prepare, refer
from mobile_export.pipeline.drawing import Drawn, draw, is_run_on_devices, load_drawn, margins_of
from mobile_export.samples import load_samples, map_samples
from mobile_export.sampling import EVALUATION, PARITY
from mobile_export.target import Data, DeviceSettings, Target
from tests.search.broken import make_target, trained

A53 = "arm64:cortex-a53"
EVALUATED = 300
"""Evaluation samples of `make_target`."""


@pytest.fixture(scope="module")
def target(tmp_path_factory) -> Target:
    """A network that reads digits, to be run on a device."""
    made = make_target(tmp_path_factory.mktemp("drawing"), trained(), 'format = "tflite"')
    return made.model_copy(update={"runs_on": (A53,)})


def drawn_of(target: Target, folder: Path) -> Drawn:
    prepare(target, folder)
    refer(target, folder)
    return load_drawn(folder)


def test_half_are_by_the_seed_and_half_the_least_sure() -> None:
    margins = np.random.default_rng(0).permutation(1000) / 1000
    draws = [draw(DeviceSettings(samples=32, seed=seed), 1000, margins)[0].tolist() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    unsure = set(np.argsort(margins)[:16].tolist())
    for rows in draws:
        assert rows == sorted({*rows})
        assert len(rows) == 32
        assert unsure < {*rows}
    assert max(draws[0]) > 128
    assert len(unsure & {*draws[0]} & {*draws[2]}) == 16


def test_without_margins_all_are_by_the_seed() -> None:
    rows, weights = draw(DeviceSettings(samples=8), 100, None)
    assert len({*rows.tolist()}) == 8
    assert weights.tolist() == [100 / 8] * 8


@pytest.mark.parametrize("count", [1, 5, 8])
@pytest.mark.parametrize("sure", [True, False])
def test_of_few_samples_all_are_drawn(count: int, sure: bool) -> None:
    rows, weights = draw(DeviceSettings(samples=8), count, np.zeros(count) if sure else None)
    assert rows.tolist() == [*range(count)]
    assert weights.tolist() == [1] * count


def test_samples_stand_for_all() -> None:
    """A mean over all of them is estimated without bias, whichever were picked for their margin."""
    margins = np.random.default_rng(0).random(500)
    values = margins < 0.1
    estimates = []
    for seed in range(400):
        rows, weights = draw(DeviceSettings(samples=32, seed=seed), 500, margins)
        assert weights.sum() == pytest.approx(500)
        estimates.append((values[rows] * weights).sum() / 500)
    assert np.mean(estimates) == pytest.approx(values.mean(), abs=0.01)
    assert values[rows].mean() > 0.4


def test_margins_are_those_of_scores_of_classes() -> None:
    found = margins_of(np.array([[0.1, 0.7, 0.2], [0.5, 0.0, 0.5]], np.float32))
    assert found is not None
    np.testing.assert_allclose(found, [0.5, 0], atol=1e-7)
    infinite = margins_of(np.array([[np.inf, np.inf], [1.0, 0.0]]))
    assert draw(DeviceSettings(samples=1), 2, infinite)[0].size == 1
    for other in (np.zeros((4, 1)), np.zeros(4), np.zeros((4, 3, 2)), np.zeros((4, 3), np.int64)):
        assert margins_of(other) is None


def test_samples_are_drawn_from_all_evaluation_samples(target: Target, tmp_path: Path) -> None:
    drawn = drawn_of(target, tmp_path)
    stored = map_samples(tmp_path / EVALUATION)
    assert len(drawn.rows) == target.device.samples
    assert max(drawn.rows) >= len(load_samples(tmp_path / PARITY)["image"])
    assert [*drawn.samples] == ["image"]
    np.testing.assert_array_equal(drawn.samples["image"], stored["image"][drawn.rows])
    highest = np.sort(drawn.answers["probabilities"], axis=1)
    margins = highest[:, -1] - highest[:, -2]
    assert np.median(margins[drawn.weights == 1]) < np.median(margins[drawn.weights > 1])
    assert drawn.weights.sum() == pytest.approx(EVALUATED)


def test_without_evaluation_data_they_are_of_those_on_which_answers_are_compared(
    target: Target, tmp_path: Path
) -> None:
    alone = target.model_copy(update={"data": Data(calibration=target.data.calibration)})
    drawn = drawn_of(alone, tmp_path)
    compared = load_samples(tmp_path / PARITY)["image"]
    assert len(drawn.rows) == min(len(compared), target.device.samples)
    np.testing.assert_array_equal(drawn.samples["image"], compared[drawn.rows])
    assert (drawn.weights == 1).any()


def test_nothing_is_drawn_where_nothing_runs_on_a_device(target: Target, tmp_path: Path) -> None:
    nowhere = target.model_copy(update={"runs_on": ()})
    skipped = target.model_copy(update={"device": DeviceSettings(skip=True)})
    of_one = nowhere.artifacts[0].model_copy(update={"runs_on": (A53,)})
    assert [is_run_on_devices(each) for each in (nowhere, skipped, target)] == [False, False, True]
    assert is_run_on_devices(nowhere.model_copy(update={"artifacts": (of_one,)}))
    prepare(nowhere, tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    refer(nowhere, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} - before == {"parity_answers.npz", "reference_score.npz"}
