from pathlib import Path

import numpy as np
import pytest

from mobile_export.errors import NotRunnableError
from mobile_export.explanation.alignment import align
from mobile_export.formats import FORMATS, Request
from mobile_export.formats.flatbuffer import read_model, set_ranges, write_model
from mobile_export.quantize.scheme import Scheme
from mobile_export.samples import load_samples
from mobile_export.watching.network import Node
from mobile_export.watching.tflite import TFLiteNetwork
from tests.explanation.models import FIRST, SECOND, explained, kinds, layers_of, network, written
from tests.formats.tf_graphs import make_graph

FIRST_NAME, SECOND_NAME = FIRST["tflite"], SECOND["tflite"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for precision in ("int8", "weight_int4", "float16"):
        written(network(), folder, "tflite", Scheme(precision))
    return folder


def test_watching_gives_what_the_file_answers(folder: Path) -> None:
    samples = load_samples(folder / "data.npz")
    one = {"image": samples["image"][:1]}
    watch = TFLiteNetwork(folder / "int8.tflite").watch(["probabilities", SECOND_NAME])
    answer = FORMATS["tflite"].open(folder / "int8.tflite")(one)["probabilities"]
    assert np.array_equal(watch(one)["probabilities"], answer)
    assert watch(one)[SECOND_NAME].shape == (1, 6, 6, 32)


def test_a_cut_file_computes_each_operator_on_what_it_is_fed(folder: Path) -> None:
    network_ = TFLiteNetwork(folder / "float32.tflite")
    names = [FIRST_NAME, SECOND_NAME]
    image = load_samples(folder / "data.npz")["image"][:1]
    whole = network_.watch(names)({"image": image})
    cut = network_.watch(names, cut=True)
    fed = {FIRST_NAME: whole[FIRST_NAME] * 0, SECOND_NAME: whole[SECOND_NAME]}
    found = cut({"image": image} | fed)
    assert np.allclose(found[FIRST_NAME], whole[FIRST_NAME], atol=1e-5)
    assert not np.allclose(found[SECOND_NAME], whole[SECOND_NAME], atol=1e-2)  # it has read zeros
    assert np.allclose(cut({"image": image} | whole)[SECOND_NAME], whole[SECOND_NAME], atol=1e-5)


def test_batches_of_another_size_are_taken(folder: Path) -> None:
    watch = TFLiteNetwork(folder / "int8.tflite").watch([SECOND_NAME])
    image = load_samples(folder / "data.npz")["image"]
    for size in (1, 3, 1):
        assert watch({"image": image[:size]})[SECOND_NAME].shape == (size, 6, 6, 32)


def test_constants_of_every_width_are_read(folder: Path) -> None:
    real = TFLiteNetwork(folder / "float32.tflite").constant("Conv2D_1")
    assert real is not None
    for precision, tolerance in (("int8", 0.01), ("weight_int4", 0.15), ("float16", 0.001)):
        file = TFLiteNetwork(folder / f"{precision}.tflite")
        kept = file.constant("Conv2D_1")
        assert kept is not None
        assert kept.shape == real.shape
        assert 0 < np.abs(kept - real).max() < tolerance * np.abs(real).max()
    assert TFLiteNetwork(folder / "int8.tflite").constant(SECOND_NAME) is None


def test_a_bias_that_does_not_fit_beside_a_tiny_scale_is_told(folder: Path, tmp_path: Path) -> None:
    model = read_model((folder / "int8.tflite").read_bytes())
    tensors = model.subgraphs[0].tensors
    convolution = next(o for o in model.subgraphs[0].operators if tensors[o.outputs[0]].name == SECOND_NAME.encode())
    _, weights, bias = (tensors[index] for index in convolution.inputs)
    for tensor in (weights, bias):  # as a quantizer leaves it that forgets about the bias
        tensor.quantization.scale = np.array(tensor.quantization.scale)
        tensor.quantization.scale[3] *= 1e-9
    values = np.frombuffer(model.buffers[bias.buffer].data, np.int32).copy()
    values[3] = np.iinfo(np.int32).max
    model.buffers[bias.buffer].data = values.view(np.uint8)
    for name in ("float32.tflite", "data.npz"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "int8.tflite").write_bytes(write_model(model))
    second = layers_of(tmp_path / "int8.tflite")[SECOND_NAME]
    assert second.own_sqnr is not None
    assert second.own_sqnr < 20
    assert "tiny_scale" in kinds(second)
    text = next(reason.text for reason in second.reasons if reason.kind == "tiny_scale")
    assert text.startswith("the weights of channel 3 are so small (scale ")


def test_a_file_of_tensorflows_quantizer_is_understood(folder: Path, tmp_path: Path) -> None:
    from tensorflow.lite.python.convert import mlir_quantize

    baseline = TFLiteNetwork(folder / "float32.tflite")
    names = [name for node in baseline.nodes for name in node.outputs]
    seen = baseline.watch(names)({"image": load_samples(folder / "data.npz")["image"]})
    ranges = {name: (float(array.min()), float(array.max())) for name, array in seen.items()}
    model = read_model((folder / "float32.tflite").read_bytes())
    set_ranges(model, ranges | {"image": (-5.0, 5.0)})
    for name in ("float32.tflite", "data.npz"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "theirs.tflite").write_bytes(mlir_quantize(write_model(model)))
    found = explained(tmp_path / "theirs.tflite")
    computed = [layer for layer in found.layers if layer.operator in ("CONV_2D", "FULLY_CONNECTED")]
    assert len(computed) == 3
    assert {layer.precision for layer in computed} == {"int8"}
    assert all(layer.weights_sqnr is not None and layer.weights_sqnr > 35 for layer in computed)
    assert min(layer.sqnr for layer in found.layers) > 18


def test_tensors_of_one_name_are_kept_apart(folder: Path, tmp_path: Path) -> None:
    model = read_model((folder / "int8.tflite").read_bytes())
    for tensor in model.subgraphs[0].tensors:
        tensor.name = b"same"
    model.signatureDefs = []
    path = tmp_path / "same.tflite"
    path.write_bytes(write_model(model))
    names = [name for node in TFLiteNetwork(path).nodes for name in node.outputs]
    assert len(set(names)) == len(names) > 3


def test_conversions_in_a_circle_end(folder: Path) -> None:
    file = TFLiteNetwork(folder / "int8.tflite")
    circle = Node("DEQUANTIZE", ("probabilities",), ("probabilities",), converts=True)
    file.nodes = tuple(circle if node.outputs == circle.outputs else node for node in file.nodes)
    assert align(TFLiteNetwork(folder / "float32.tflite"), file)


def test_operators_of_tensorflow_cannot_be_run(tmp_path: Path) -> None:
    graph = make_graph(
        lambda tf: ([x := tf.placeholder(tf.float32, [1, 4, 4], name="x")], [tf.linalg.inv(x)]), ["x"], ["y"]
    )
    path = tmp_path / "flex.tflite"
    FORMATS["tflite"].write(graph, [Request("a", path, allow_select_tf_ops=True)], None)
    with pytest.raises(NotRunnableError, match=r"flex.tflite: cannot be explained: no interpreter here has the Flex"):
        TFLiteNetwork(path)
