"""Making files: what a converter refuses stops only itself where that is asked for, and bytes are always the same."""

from pathlib import Path

import numpy as np
import pytest

from mobile_export.building.making import Maker, Options
from mobile_export.caching.artifacts import Finished
from mobile_export.errors import CheckFailed, ConversionError
from mobile_export.planning.plan import Plan, load_targets, plan
from mobile_export.session import import_tensorflow
from mobile_export.workers import default_memory

HEAD = """
name = "app"
platform = "any"
[model]
source = "model.pb"
[[model.inputs]]
name = "x"
tensor = "x:0"
shape = [1, 8]
[[model.outputs]]
name = "y"
tensor = "y:0"
[data]
calibration = { source = "samples.npz" }
"""
ARTIFACTS = {
    "plain": ("tflite", "float32"),
    "half": ("tflite", "float16"),
    "bytes": ("tflite", "dynamic"),
    "integers": ("tflite", "int8"),
    "onnx": ("onnx", "float32"),
    "mapped": ("memmapped", "float32"),
}


def planned(folder: Path, scale: float = 1.0, inverse: bool = False, calibrated: float = 1.0) -> Plan:
    """A target for all of `ARTIFACTS` of a model that multiplies by a matrix with an element of `scale`.

    Args:
        inverse: whether it inverts the product, which phones' formats cannot.
        calibrated: by how much calibration samples are multiplied.
    """
    tf = import_tensorflow()
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 8], name="x")
        weights = np.random.default_rng(0).standard_normal((8, 64)).astype(np.float32)
        weights[0, 0] = scale
        product = tf.matmul(x, weights)
        if inverse:
            product = tf.linalg.inv(tf.reshape(product, [-1, 8, 8]))
        tf.nn.tanh(product, name="y")
    (folder / "model.pb").write_bytes(graph.as_graph_def().SerializeToString())
    samples = calibrated * np.random.default_rng(1).standard_normal((20, 8))
    np.savez(folder / "samples.npz", x=samples.astype(np.float32))
    listed = [
        f'[[artifacts]]\nname = "{name}"\nformat = "{form}"\nprecision = "{precision}"\n'
        for name, (form, precision) in ARTIFACTS.items()
    ]
    path = folder / "target.toml"
    path.write_text(HEAD + "".join(listed))
    ((_, target),) = load_targets([path])
    return plan(path, target)


def maker(folder: Path, **options: object) -> tuple[Maker, Path]:
    work, stage = folder / "work", folder / "stage"
    work.mkdir(parents=True)
    return Maker(Options(folder, **options), work), stage


def test_what_a_converter_refuses_stops_only_itself(tmp_path: Path) -> None:
    plan_ = planned(tmp_path, scale=1e6)  # beyond the range of float16
    making, stage = maker(tmp_path, jobs=2)
    found = making.attempt(plan_, plan_.target.artifacts, stage)
    assert list(found) == list(ARTIFACTS)
    refused = {name: str(one) for name, one in found.items() if isinstance(one, ConversionError)}
    assert refused == {
        "half": "artifact 'half': a weight is beyond the range of float16; choose another precision",
    }
    for name, one in found.items():
        if isinstance(one, Finished):
            assert (stage / one.entry.file).stat().st_size == one.entry.bytes, name
    with pytest.raises(ConversionError, match=r"^artifact 'half': a weight is beyond"):
        making.make(plan_, plan_.target.artifacts, stage)


def test_a_format_that_lacks_an_operator_stops_its_own_files_alone(tmp_path: Path) -> None:
    plan_ = planned(tmp_path, inverse=True)
    making, stage = maker(tmp_path, jobs=2)
    found = making.attempt(plan_, plan_.target.artifacts, stage)
    lacking = {name for name, one in found.items() if isinstance(one, ConversionError)}
    assert lacking == {"plain", "half", "bytes", "integers", "onnx"}
    assert "TensorFlow Lite has no operator for MatrixInverse" in str(found["integers"])
    assert isinstance(found["mapped"], Finished)


def test_wrong_data_stops_all_in_whatever_order(tmp_path: Path) -> None:
    plan_ = planned(tmp_path, calibrated=0.0)
    making, stage = maker(tmp_path, jobs=2)
    for how in (making.make, making.attempt):
        with pytest.raises(CheckFailed):
            how(plan_, plan_.target.artifacts, stage)


def test_the_bytes_do_not_depend_on_the_schedule(tmp_path: Path) -> None:
    plan_ = planned(tmp_path)
    made = {}
    for name, options in {"one": {"jobs": 1}, "many": {"jobs": 6}, "frugal": {"jobs": 6, "memory": 1}}.items():
        making, stage = maker(tmp_path / name, **options)
        made[name] = making.make(plan_, plan_.target.artifacts, stage)
    for name in ARTIFACTS:
        assert made["one"][name].entry == made["many"][name].entry == made["frugal"][name].entry


def test_workers_may_not_take_all_memory(tmp_path: Path) -> None:
    limit = default_memory()
    assert limit is None or Options(tmp_path).memory == limit
