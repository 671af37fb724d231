"""Time of an answer against that of another file, by the machine's own clock."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from mobile_export.runner import Edge
from mobile_export.timing import latency_ratio
from mobile_export.timing.turns import WARM_UP

SAMPLES = {"x": np.ones((40, 3), np.float32)}


@dataclass
class Sleeper:
    """Answers after `seconds`, and after `first` more the first times."""

    seconds: float
    first: float = 0.0
    inputs: tuple[Edge, ...] = (Edge("x", "float32", (-1, 3)),)
    outputs: tuple[Edge, ...] = (Edge("y", "float32", (-1, 3)),)
    shapes: list[tuple[int, ...]] = field(default_factory=list)

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        time.sleep(self.seconds + (self.first if len(self.shapes) < WARM_UP else 0.0))
        self.shapes.append(feeds["x"].shape)
        assert feeds["x"].dtype.name == self.inputs[0].dtype
        return {"y": feeds["x"]}


def test_who_sleeps_twice_as_long_takes_about_twice_as_long() -> None:
    assert latency_ratio(Sleeper(0.006), Sleeper(0.003), SAMPLES, {}, seconds=0.1) == pytest.approx(2, rel=0.35)
    assert latency_ratio(Sleeper(0.003), Sleeper(0.006), SAMPLES, {}, seconds=0.1) == pytest.approx(0.5, rel=0.35)


def test_the_first_answers_do_not_count() -> None:
    assert latency_ratio(Sleeper(0.003, first=0.03), Sleeper(0.003), SAMPLES, {}, seconds=0.1) == pytest.approx(
        1, rel=0.35
    )


@pytest.mark.parametrize(("shape", "fed"), [((-1, 3), (1, 3)), ((1, 3), (1, 3)), ((4, 3), (4, 3))])
def test_it_is_one_batch_as_the_file_takes_it(shape: tuple[int, ...], fed: tuple[int, ...]) -> None:
    quantized = Sleeper(0.0, inputs=(Edge("x", "int8", shape, 0.5, 0),))
    latency_ratio(quantized, Sleeper(0.0), SAMPLES, {}, seconds=0.1)
    assert set(quantized.shapes) == {fed}
