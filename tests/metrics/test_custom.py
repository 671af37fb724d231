from pathlib import Path

import numpy as np
import pytest

from mobile_export.errors import ModelError, TargetError
from mobile_export.metrics import Metric, make_metric
from mobile_export.metrics.metric import score_of
from mobile_export.target import MetricChoice, UserCode

CODE = """
import numpy as np
def distance(answers, labels):
    return np.abs(answers[:, 0] - labels)
def column(answers, labels):
    return distance(answers, labels)[:, None]
def fails(answers, labels):
    return answers[:, 7]
def one(answers, labels):
    return 1.0
def text(answers, labels):
    return ["good"] * len(answers)
def none(answers, labels):
    return np.full(len(answers), np.nan)
number = 3
"""
ANSWERS, LABELS = np.array([[1.0], [2.0], [4.0]]), np.array([1.0, 1.0, 1.0])


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    module = f"scores_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(CODE)
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])

    def make(name: str, **parameters) -> Metric:
        return make_metric(MetricChoice(f"{module}:{name}", parameters, UserCode(tmp_path, module, name)))

    return make


def test_score(made) -> None:
    for name in ("distance", "column"):
        metric = made(name, higher_is_better=False)
        assert not metric.higher_is_better
        assert score_of(metric, metric.statistics(ANSWERS, LABELS)) == pytest.approx(4 / 3)


def test_what_is_not_finite_is_the_worst(made) -> None:
    spoilt = ANSWERS * [[1.0], [np.nan], [1.0]]
    assert made("distance").statistics(spoilt, LABELS).reshape(-1).tolist() == [0, -np.inf, 3]
    assert made("none", bounds=(0, 9)).statistics(ANSWERS, LABELS).tolist() == [[0]] * 3
    lower = made("distance", higher_is_better=False, bounds=(0, 9))
    assert lower.statistics(spoilt, LABELS).reshape(-1).tolist() == [0, 9, 3]


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("fails", {}, "fails: IndexError: index 7 is out of bounds"),
        ("one", {}, "one: gave shape [] for 3 samples; return one number a sample"),
        ("text", {}, "text: ValueError: could not convert string to float: 'good'"),
        ("distance", {"bounds": (0, 2)}, "distance: gave 3, which is outside of bounds = [0, 2]"),
    ],
)
def test_code_that_does_not_score(made, name: str, parameters: dict, said: str) -> None:
    with pytest.raises(ModelError) as raised:
        made(name, **parameters).statistics(ANSWERS, LABELS)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("distance", {"higher_is_better": 1}, "higher_is_better: input should be a valid boolean (it is 1)"),
        ("distance", {"bounds": (1, 1)}, "bounds are the least and the most, in this order"),
        ("distance", {"k": 1}, "k: unexpected keyword argument (it is 1)"),
        ("number", {}, "function: input should be callable (it is 3)"),
    ],
)
def test_wrong_parameters(made, name: str, parameters: dict, said: str) -> None:
    with pytest.raises(TargetError) as raised:
        made(name, **parameters)
    assert str(raised.value).endswith(f":{name}: {said}")


def test_code_that_is_not_there(made) -> None:
    with pytest.raises(ModelError, match=r"data\.evaluation\.metric: .* has no 'missing'; define it there"):
        made("missing")
