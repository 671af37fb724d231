import numpy as np
import pytest

from mobile_export.data.preprocess import preprocess
from mobile_export.data_checks.readings import possible_readings, usual_readings
from mobile_export.target import Preprocessing

SHAPE = (4, 4, 3)
VALUES = {
    "tiny": (0.0, 1 / 255),
    "unit": (0.0, 1.0),
    "bytes": (0.0, 255.0),
    "signed": (-1.0, 1.0),
    "standardized": (-2.1, 2.6),
    "centred": (-120.0, 135.0),
    "sound": (-30_000.0, 32_000.0),
}
CURRENT = [
    Preprocessing(),
    Preprocessing(scale=1 / 255),
    Preprocessing(mean=(0.5,), std=(0.5,)),
    Preprocessing(scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    Preprocessing(channel_order="bgr"),
]
READINGS = [reading for low, high in VALUES.values() for reading in usual_readings(low, high, SHAPE)]


def as_told(text: str, current: Preprocessing) -> Preprocessing:
    """What stands in the target after it was changed as `text` says."""
    text = text.removeprefix("store the samples so, or ")
    wanted = current
    if text.startswith("set "):
        keys, _, rest = text.removeprefix("set ").partition(" in KEY")
        for key in ("scale", "mean", "std", "channel_order"):
            if f"{key} = " in keys:
                written = keys.partition(f"{key} = ")[2]
                value = written.partition("]")[0].strip("[") if written.startswith("[") else written.partition(", ")[0]
                made = (
                    value.strip('"')
                    if key == "channel_order"
                    else tuple(map(float, value.split(", ")))
                    if key != "scale"
                    else float(value)
                )
                wanted = wanted.model_copy(update={key: made})
    else:
        rest = f"; {text.replace('from KEY', 'there')}"
    for key in ("scale", "mean", "std", "channel_order"):
        if rest.startswith("; remove ") and key in rest:
            wanted = wanted.model_copy(update={key: getattr(Preprocessing(), key)})
    return wanted


@pytest.mark.parametrize("current", CURRENT)
@pytest.mark.parametrize("reading", READINGS, ids=[reading.words for reading in READINGS])
def test_what_is_advised_does_the_same(reading, current: Preprocessing) -> None:
    raw = np.random.default_rng(0).random((5, *SHAPE))
    expected = reading.apply(preprocess(raw, current, "float64"))
    told = preprocess(raw, as_told(reading.advice(current, "KEY"), current), "float64")
    np.testing.assert_allclose(told, expected, rtol=5e-5, atol=5e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", VALUES)
def test_mistakes_with_colours_are_made_with_colours(name: str) -> None:
    low, high = VALUES[name]
    plain = usual_readings(low, high, (49, 10))
    assert not any(reading.coloured for reading in plain)
    assert usual_readings(low, high, SHAPE)[-1].words == "reversing its channels"


def test_what_is_beyond_all_is_not_read_otherwise() -> None:
    assert usual_readings(0, 1e6, (10,)) == usual_readings(-1e6, 1e6, (10,)) == []


@pytest.mark.parametrize(
    ("current", "words", "advice"),
    [
        (Preprocessing(), "÷ 255", "store the samples so, or set scale = 0.00392156863 in KEY"),
        (Preprocessing(), "÷ 127.5 − 1", "store the samples so, or set scale = 0.00784313725, mean = 1 in KEY"),
        (Preprocessing(), "reversing its channels", 'store the samples so, or set channel_order = "bgr" in KEY'),
        (Preprocessing(channel_order="bgr"), "reversing its channels", "remove channel_order from KEY"),
        (Preprocessing(mean=(1.0,)), "÷ 255", "set scale = 0.00392156863, mean = 0.00392156863 in KEY"),
    ],
)
def test_words(current: Preprocessing, words: str, advice: str) -> None:
    (reading,) = (reading for reading in usual_readings(0, 255, SHAPE) if reading.words == words)
    assert reading.advice(current, "KEY") == advice


def test_twice() -> None:
    current = Preprocessing(scale=1 / 255, mean=(0.5,), std=(0.5,))
    (undone,) = (r for r in usual_readings(-1, -0.98, SHAPE) if r.words == "(x + 1) × 127.5")
    assert undone.advice(current, "KEY") == "remove scale and mean and std from KEY"


def test_of_samples() -> None:
    images = np.random.default_rng(0).random((4, *SHAPE)).astype(np.float32)
    assert possible_readings(images) == usual_readings(0, 1, SHAPE)
    assert [reading.words for reading in possible_readings((images * 255).astype(np.uint8))] == [
        "reversing its channels"
    ]
    assert possible_readings(np.arange(40, dtype=np.int32).reshape(4, 10)) == []
    assert possible_readings(np.zeros((4, 10), np.float32)) == []
    assert possible_readings(images[:, 0, 0, :1]) == []
