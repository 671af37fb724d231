from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime import quantization

from mobile_export.errors import ConversionError, ModelError
from mobile_export.quantize.scheme import Scheme
from mobile_export.samples import load_samples
from mobile_export.watching.onnx import ONNXNetwork
from tests.explanation.models import explained, kinds, layers_of, network, rescale, written


class Reader(quantization.CalibrationDataReader):
    def __init__(self, images: np.ndarray) -> None:
        self._feeds = iter([{"image": images[row : row + 1]} for row in range(len(images))])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    written(network(), folder, "onnx", Scheme("int8"))
    return folder


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broken")
    written(network(rescale), folder, "onnx", Scheme("int8"))
    return folder


def static(folder: Path, **options: Any) -> Path:
    path = folder / "static.onnx"
    images = load_samples(folder / "data.npz")["image"]
    quantization.quantize_static(str(folder / "float32.onnx"), str(path), Reader(images), **options)
    return path


def dynamic(folder: Path, **options: Any) -> Path:
    path = folder / "dynamic.onnx"
    quantization.quantize_dynamic(str(folder / "float32.onnx"), str(path), **options)
    return path


@pytest.mark.parametrize("make", [static, dynamic])
@pytest.mark.parametrize("per_channel", [True, False])
def test_files_of_onnx_runtimes_quantizer_are_understood(
    folder: Path, make: Callable[..., Path], per_channel: bool
) -> None:
    found = explained(make(folder, per_channel=per_channel))
    weighted = [layer for layer in found.layers if layer.weights_sqnr is not None and layer.operator != "Add"]
    assert len(weighted) == 3
    assert {layer.precision for layer in weighted} == {"int8" if make is static else "dynamic"}
    assert min(layer.weights_sqnr or 0 for layer in weighted) > 35
    assert min(layer.sqnr for layer in found.layers) > 18
    assert [layer.reasons for layer in found.layers if layer.reasons] == []


@pytest.mark.parametrize("make", [static, dynamic])
def test_they_are_told_of_a_channel_that_breaks_them(broken: Path, make: Callable[..., Path]) -> None:
    worst = explained(make(broken, per_channel=True)).layers[0]
    assert worst.operator.startswith("Conv")
    assert kinds(worst)[:2] == ["reads_outlier_channel", "lost_weights"]


def test_integers_of_sixteen_bits_are_int16x8(folder: Path) -> None:
    path = static(folder, activation_type=quantization.QuantType.QInt16, weight_type=quantization.QuantType.QInt8)
    layers = layers_of(path)
    assert layers["MatMul"].precision == "int16x8"
    assert layers["MatMul"].stored == "int16"


def test_a_cut_file_computes_each_operator_on_what_it_is_fed(folder: Path) -> None:
    file = ONNXNetwork(folder / "float32.onnx")
    image = load_samples(folder / "data.npz")["image"][:1]
    whole = file.watch(["first", "Conv2D_1"])({"image": image})
    found = file.watch(["first", "Conv2D_1"], cut=True)({"image": image, **whole, "first": whole["first"] * 0})
    assert np.allclose(found["first"], whole["first"], atol=1e-5)
    assert not np.allclose(found["Conv2D_1"], whole["Conv2D_1"], atol=1e-2)


def test_weights_in_other_files_are_not_read(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "outside.onnx"
    model = onnx.load(folder / "float32.onnx")
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(ModelError, match=r"outside.onnx: keeps weights in other files; only single files"):
        ONNXNetwork(path)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(ConversionError, match=r"text.onnx"):
        ONNXNetwork(path)


def test_weights_in_other_files_are_not_read_from_inside_an_operator_either(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "inside.onnx"
    model = onnx.load(folder / "float32.onnx")
    outside = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[2])
    outside.data_location = onnx.TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="weights.bin")
    constant = onnx.helper.make_node("Constant", [], ["c"], value=outside)
    body = onnx.helper.make_graph([constant], "body", [], [])
    for attribute in ({"value": outside}, {"then_branch": body}):
        other = onnx.ModelProto()
        other.CopyFrom(model)
        other.graph.node.append(onnx.helper.make_node("If", ["x"], ["y"], **attribute))
        path.write_bytes(other.SerializeToString())
        with pytest.raises(ModelError, match=r"inside.onnx: keeps weights in other files"):
            ONNXNetwork(path)


def test_layers_are_those_that_conversions_name(folder: Path) -> None:
    assert ONNXNetwork(folder / "float32.onnx").layers == {"Conv2D", "Conv2D_1", "MatMul"}
