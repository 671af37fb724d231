import numpy as np
import pytest

from mobile_export.data.preprocess import Preprocessed, affine, largest_raw, preprocess, problem
from mobile_export.runner import Edge, run_samples
from mobile_export.target import Preprocessing

RAW = np.array([[[10, 20, 30], [40, 50, 60]]], np.uint8)
BGR = Preprocessing(scale=0.1, mean=(1.0, 2.0, 3.0), std=(0.5, 1.0, 2.0), channel_order="bgr")


def test_mean_and_std_are_in_the_models_channel_order() -> None:
    ready = preprocess(RAW, BGR, "float32")
    assert ready.dtype == np.float32
    np.testing.assert_allclose(ready, [[[4, 0, -1], [10, 3, 0.5]]], atol=1e-6)


def test_what_is_not_declared_changes_nothing() -> None:
    assert preprocess(RAW, Preprocessing(), "float32").tolist() == RAW.tolist()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_the_models_type_stays(dtype: str) -> None:
    from mobile_export.graphs.tensors import dtype_named

    assert preprocess(RAW, BGR, dtype_named(dtype)).dtype == dtype_named(dtype)


def test_one_value_does_for_all_channels() -> None:
    how = Preprocessing(mean=(1.0,), std=(2.0,))
    np.testing.assert_array_equal(preprocess(RAW, how, "float32"), (RAW - 1.0) / 2)
    np.testing.assert_array_equal(preprocess(np.arange(3), how, "float32"), [-0.5, 0, 0.5])


def test_affine_is_the_same() -> None:
    a, b = affine(BGR)
    np.testing.assert_allclose(RAW[..., ::-1] * a + b, preprocess(RAW, BGR, "float32"), atol=1e-6)


@pytest.mark.parametrize(
    ("how", "dtype", "shape", "said"),
    [
        (Preprocessing(), "uint8", (-1, 4, 4, 3), "the input is uint8, which takes values as they are"),
        (
            BGR,
            "float32",
            (-1, 4, 4, 1),
            r'channel_order = "bgr" reverses a last axis of 3; the input is float32[?,4,4,1]',
        ),
        (BGR, "float32", (3,), r"reverses a last axis of 3; the input is float32[3]"),
        (BGR, "float32", None, r"reverses a last axis of 3; the input is float32[...]"),
        (BGR, "float32", (-1, 4, 4, 4), "reverses a last axis of 3"),
        (Preprocessing(mean=(1.0, 2.0)), "float32", (-1, 3), "mean has 2 values and the input is float32[?,3]"),
        (Preprocessing(std=(1.0, 2.0)), "float32", (2,), "std has 2 values and the input is float32[2]"),
        (Preprocessing(std=(1.0, 2.0)), "float32", (1, -1), "std has 2 values and the input is float32[1,?]"),
    ],
)
def test_what_does_not_fit_is_said(how: Preprocessing, dtype: str, shape: tuple[int, ...] | None, said: str) -> None:
    assert said in (problem(how, dtype, shape) or "")


@pytest.mark.parametrize(
    ("how", "shape"),
    [(BGR, (-1, 4, 4, 3)), (BGR, (1, 3)), (Preprocessing(scale=2), (-1,)), (Preprocessing(mean=(1.0,)), None)],
)
def test_what_fits(how: Preprocessing, shape: tuple[int, ...] | None) -> None:
    assert problem(how, "float32", shape) is None


@pytest.mark.parametrize(
    ("how", "largest"),
    [
        (Preprocessing(), 1),
        (Preprocessing(mean=(0.5,), std=(0.5,)), 1),
        (Preprocessing(scale=0.0039), 255),
        (Preprocessing(scale=1 / 127.5, mean=(1.0,)), 255),
        (Preprocessing(scale=1 / 255, mean=(0.485,), std=(0.229,)), 255),
        (Preprocessing(mean=(127.5,), std=(127.5,)), 255),
        (Preprocessing(mean=(103.9,)), 255),
        (Preprocessing(scale=1 / 65535), 65535),
        (Preprocessing(scale=1e-9), 65535),
    ],
)
def test_random_raw_values_have_the_range_of_real_ones(how: Preprocessing, largest: float) -> None:
    assert largest_raw(how) == largest


class Echo:
    """Answers what it was fed, and the other input's."""

    inputs = (Edge("image", "int8", (2, 3), 0.5, 3), Edge("ids", "int32", (2,)))
    outputs = (Edge("image", "int8", (2, 3), 0.5, 3), Edge("ids", "int32", (2,)))

    def __call__(self, feeds):
        assert {name: array.dtype.name for name, array in feeds.items()} == {"image": "int8", "ids": "int32"}
        return feeds


def test_a_runner_is_fed_in_its_own_type() -> None:
    runner = Preprocessed(Echo(), {"image": BGR})
    assert [(edge.dtype, edge.scale) for edge in runner.inputs] == [("float32", None), ("int32", None)]
    answers = run_samples(runner, {"image": RAW[0], "ids": np.arange(2, dtype=np.int32)})
    np.testing.assert_array_equal(answers["image"], [[4, 0, -1], [10, 3, 0.5]])
    assert answers["ids"].tolist() == [0, 1]
