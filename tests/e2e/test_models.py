"""Acceptance on models that others trained; runs where MOBILE_EXPORT_MODELS names the folder that holds them.

Each model is built to every format, and the recorded answers of every file are compared with what TensorFlow, or Keras,
itself answers after loading the model its own way. `pytest -rP` prints the table of differences.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mobile_export.published.manifest import GOLDEN
from mobile_export.samples import load_samples
from mobile_export.session import import_tensorflow

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.environ.get("MOBILE_EXPORT_MODELS"), reason="MOBILE_EXPORT_MODELS is not set"),
]

MODELS = Path(os.environ.get("MOBILE_EXPORT_MODELS", ""))
CIFAR, KWS = MODELS / "cifar_cnn", MODELS / "kws_ds_cnn/DS_CNN_S.pb"
FORMATS = ("tflite", "onnx", "graphdef", "memmapped")
TOLERANCE = 1e-4
"""Of the largest magnitude of an output: what float32 files may differ by."""

Answers = Mapping[str, np.ndarray]
Run = Callable[[Answers], Answers]
"""Public inputs to public outputs, in the model's own framework."""


@dataclass(frozen=True)
class Case:
    """A model, what its target says besides the source, and its own run."""

    source: Path
    edges: str
    run: Callable[[], Run]


def tensors(inputs: Mapping[str, str], outputs: Mapping[str, str], shape: str = "") -> str:
    """`[[model.inputs]]` and `[[model.outputs]]`: public name to tensor."""
    lines = [f'[[model.inputs]]\nname = "{name}"\ntensor = "{tensor}"\n{shape}' for name, tensor in inputs.items()]
    return "\n".join([*lines, *(f'[[model.outputs]]\nname = "{n}"\ntensor = "{t}"' for n, t in outputs.items())])


def in_session(load: Callable[[object], object], inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Run:
    """A run in a TF1 session: of the model's own batch where that is fixed, else of one sample at a time."""
    tf = import_tensorflow()
    graph = tf.Graph()
    with graph.as_default():
        session = tf.compat.v1.Session()
        load(session)
    batch = graph.get_tensor_by_name(next(iter(inputs.values()))).shape[0]

    def run(samples: Answers) -> Answers:
        count = len(next(iter(samples.values())))
        pieces = []
        for start in range(0, count, batch or 1):
            rows = np.minimum(np.arange(start, start + (batch or 1)), count - 1)
            feeds = {inputs[name]: array[rows] for name, array in samples.items()}
            pieces.append(session.run(list(outputs.values()), feeds))
        return {n: np.concatenate(p)[:count] for n, p in zip(outputs, zip(*pieces, strict=True), strict=True)}

    return run


def checkpoint(path: Path, inputs: Mapping[str, str], outputs: Mapping[str, str], shape: str = "") -> Case:
    def load(session: object) -> object:
        return import_tensorflow().compat.v1.train.import_meta_graph(f"{path}.meta").restore(session, str(path))

    return Case(path, tensors(inputs, outputs, shape), lambda: in_session(load, inputs, outputs))


def frozen(path: Path, inputs: Mapping[str, str], outputs: Mapping[str, str], shape: str = "") -> Case:
    def load(_: object) -> object:
        tf = import_tensorflow()
        return tf.import_graph_def(tf.compat.v1.GraphDef.FromString(path.read_bytes()), name="")

    return Case(path, tensors(inputs, outputs, shape), lambda: in_session(load, inputs, outputs))


def saved_model(path: Path, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Case:
    def load(session: object) -> object:
        return import_tensorflow().compat.v1.saved_model.load(session, ["serve"], str(path))

    return Case(path, tensors(inputs, outputs), lambda: in_session(load, inputs, outputs))


def keras(path: Path, package: str) -> Case:
    def load() -> Run:
        import_tensorflow()
        model = __import__(package).models.load_model(path, compile=False)
        return lambda samples: dict.fromkeys([""], np.asarray(model(list(samples.values()), training=False)))

    return Case(path, "", load)


def mtcnn(name: str, step: int, side: int, *heads: str) -> Case:
    outputs = {f"out{index}": head for index, head in enumerate(heads)}
    shape = f"shape = [1, {side}, {side}, 3]"
    return checkpoint(MODELS / f"mtcnn/{name}_landmark/{name}-{step}", {"image": "input_image:0"}, outputs, shape)


CIFAR_INPUT = {"image": "Input:0"}
CASES = {
    "cifar checkpoint": checkpoint(CIFAR / "cifar_model/model.ckpt", CIFAR_INPUT, {"scores": "add_1:0"}),
    "cifar frozen": frozen(CIFAR / "cifar_model/frozen_model.pb", CIFAR_INPUT, {"scores": "Output:0"}),
    "cifar frozen, dynamic": frozen(
        CIFAR / "cifar_model/frozen_model_variadic_input_shape.pb", CIFAR_INPUT, {"scores": "Output:0"}
    ),
    "cifar SavedModel": saved_model(CIFAR / "cifar_saved_model", CIFAR_INPUT, {"scores": "Output:0"}),
    "mtcnn PNet": mtcnn("PNet", 18, 12, "cls_prob:0", "bbox_pred:0", "landmark_pred:0"),
    "mtcnn RNet": mtcnn("RNet", 14, 24, "cls_fc/Softmax:0", "bbox_fc/BiasAdd:0", "landmark_fc/BiasAdd:0"),
    "kws cut": frozen(KWS, {"mfcc": "Mfcc:0"}, {"scores": "labels_softmax:0"}, "shape = [1, 49, 10]"),
    "resnet8 Keras": keras(MODELS / "resnet8_cifar10/pretrainedResnet.h5", "keras"),
    "vww tf_keras": keras(MODELS / "vww_mobilenet/vww_96.h5", "tf_keras"),
}


def write_target(path: Path, source: Path, edges: str, formats: Sequence[str] = FORMATS) -> Path:
    artifacts = [f'[[artifacts]]\nname = "{kind}"\nformat = "{kind}"' for kind in formats]
    path.write_text("\n".join([f'name = "model"\n[model]\nsource = "{source.as_posix()}"', edges, *artifacts]))
    return path


def build(source: Path, edges: str, folder: Path, mobile_export: Callable[..., object]) -> Answers:
    """Everything in the golden file of a build that must succeed."""
    ran = mobile_export("build", write_target(folder / "t.toml", source, edges), "--out", folder / "out")
    assert ran.code == 0, ran.err
    return load_samples(folder / "out/model" / GOLDEN)


def part(golden: Answers, prefix: str) -> Answers:
    return {name.removeprefix(prefix): array for name, array in golden.items() if name.startswith(prefix)}


@pytest.mark.parametrize("name", CASES)
def test_every_file_answers_as_the_model_in_its_own_framework(name: str, tmp_path: Path, mobile_export) -> None:
    case = CASES[name]
    golden = build(case.source, case.edges, tmp_path, mobile_export)
    own = list(case.run()(part(golden, "inputs/")).values())
    for kind in FORMATS:
        answers = list(part(golden, f"answers/{kind}/").values())
        worst = max(np.abs(mine - theirs).max() for mine, theirs in zip(answers, own, strict=True))
        print(f"| {name} | {kind} | {worst:.1e} |")
        for mine, theirs in zip(answers, own, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=TOLERANCE * np.abs(theirs).max())


def test_checkpoint_and_frozen_graph_of_one_network_answer_alike(tmp_path: Path, mobile_export) -> None:
    """The SavedModel beside them is not among these: its weights are of another training run."""
    found = []
    for index, source in enumerate(("model.ckpt", "frozen_model_variadic_input_shape.pb")):
        folder = tmp_path / str(index)
        folder.mkdir()
        edges = tensors(CIFAR_INPUT, {"scores": "Output:0"}, "shape = [-1, 32, 32, 3]")
        golden = build(CIFAR / "cifar_model" / source, edges, folder, mobile_export)
        found.append([golden["inputs/image"], golden["answers/graphdef/scores"]])
    (inputs, answers), (other_inputs, other_answers) = found
    np.testing.assert_array_equal(inputs, other_inputs)
    np.testing.assert_allclose(answers, other_answers, rtol=1e-6, atol=1e-6)


def test_a_string_input_is_refused_with_the_tensor_to_cut_at(tmp_path: Path, mobile_export) -> None:
    ran = mobile_export("build", write_target(tmp_path / "t.toml", KWS, ""), "--out", tmp_path / "out")
    assert ran.code == 3
    assert "wav_data" in ran.err
    assert 'tensor = "Mfcc:0"' in ran.err
    assert not list((tmp_path / "out").rglob("*"))
    print(ran.err)


def test_a_model_that_keras_3_refuses_is_loaded_by_the_older_one_and_said_so(tmp_path: Path, mobile_export) -> None:
    target = write_target(tmp_path / "t.toml", CASES["vww tf_keras"].source, "", ["tflite"])
    ran = mobile_export("build", target, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert "tf_keras" in ran.out


def test_inputs_and_outputs_are_found(tmp_path: Path, mobile_export) -> None:
    build(CIFAR / "cifar_model/model.ckpt", "", tmp_path, mobile_export)


def test_several_heads_are_listed_to_choose_from(tmp_path: Path, mobile_export) -> None:
    case = CASES["mtcnn RNet"]
    ran = mobile_export("build", write_target(tmp_path / "t.toml", case.source, ""), "--out", tmp_path / "out")
    assert ran.code == 3
    for head in ("cls_fc/Softmax", "bbox_fc/BiasAdd", "landmark_fc/BiasAdd"):
        assert f'tensor = "{head}:0"' in ran.err
    assert "float32[384,2]" in ran.err


@pytest.mark.parametrize(
    "model", ["cifar_cnn/cifar_saved_model", "mtcnn/RNet_landmark/RNet-14", "kws_ds_cnn/DS_CNN_S.pb"]
)
def test_what_init_writes_builds_as_it_is(model: str, tmp_path: Path, mobile_export) -> None:
    target = tmp_path / "t.toml"
    ran = mobile_export("init", MODELS / model, "--out", target)
    assert ran.code == 0, ran.err
    ran = mobile_export("build", target, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
