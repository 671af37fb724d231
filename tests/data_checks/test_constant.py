import numpy as np
import pytest

from tests.data_checks.evidence import evidence, found, pictures


def test_sound() -> None:
    assert found("constant", evidence(pictures(40))) == []


def test_all_the_same() -> None:
    assert found("constant", evidence(np.repeat(pictures(1), 40, axis=0))) == ["error"]


@pytest.mark.parametrize(("blank", "severities"), [(9, []), (10, ["warning"]), (49, ["warning"]), (50, ["error"])])
def test_blank_samples(blank: int, severities: list[str]) -> None:
    images = pictures(100)
    images[:blank] = np.linspace(0, 1, blank)[:, None, None, None]
    assert found("constant", evidence(images)) == severities


def test_a_state_that_is_always_zero_is_no_blank_sample() -> None:
    assert found("constant", evidence({"x": pictures(40), "state": np.zeros((40, 8))})) == []


def test_samples_of_one_value_are_not_blank() -> None:
    assert found("constant", evidence(np.random.default_rng(0).random((40, 1)))) == []


def test_a_channel_that_is_empty() -> None:
    images = pictures(40)
    images[..., 1] = 0.5
    assert found("constant", evidence(images)) == ["warning"]
    assert found("constant", evidence(np.repeat(pictures(40, 1), 3, axis=3))) == []
