"""A published target that makes it hard for generated Swift: names, types, shapes, labels and texts of all kinds."""

import hashlib
import io
from pathlib import Path

import numpy as np

from mobile_export.data.preprocess import preprocess
from mobile_export.published.manifest import ArtifactEntry, EdgeEntry, Manifest
from mobile_export.runner import Edge
from mobile_export.target import Preprocessing

LABELS = ('say "hi"', "back\\slash", "\\(1 + 1)", "größe 日本", "right‮left", *(f"class {k}" for k in range(1195)))
HOW = {"scale": 1 / 255, "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.1), "channel_order": "bgr"}
INPUTS = (
    EdgeEntry(name="class", dtype="float32", shape=(1, 2, 2, 3)),
    EdgeEntry(name="the_image", dtype="uint8", shape=(1, 4), scale=0.05, zero_point=100),
    EdgeEntry(name="in", dtype="float32", shape=(-1, 3)),
    EdgeEntry(name="flag", dtype="bool", shape=(2,)),
)
OUTPUTS = (
    EdgeEntry(name="self", dtype="float32", shape=(1, 12)),
    EdgeEntry(name="run", dtype="int8", shape=(1, 4), scale=0.1, zero_point=-5),
    EdgeEntry(name="default", dtype="int64", shape=(-1,)),
    EdgeEntry(name="_0_flags", dtype="bool", shape=(2,)),
)


def awkward_target(folder: Path) -> Path:
    """Publish the target in `folder`, with golden vectors that ONNX Runtime has answered here."""
    from mobile_export.apps import generate

    model = folder / "assets/models/odd/awkward.onnx"
    model.parent.mkdir(parents=True)
    model.write_bytes(_model())
    golden = _answers(model)
    recorded = io.BytesIO()
    np.savez(recorded, **golden)
    manifest = _manifest(model.read_bytes(), recorded.getvalue())
    generated = generate(manifest, golden)
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in generated.items()}
    for path, content in {**generated, "golden.npz": recorded.getvalue()}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    manifest.model_copy(update={"generated": digests}).save(folder)
    return folder


def _model() -> bytes:
    """self: all of `class`; run: -2 * `the_image`; default: where `in` is largest, by row; _0_flags: not `flag`."""
    from onnx import TensorProto, helper, numpy_helper

    def number(name: str, value: float, dtype: str = "float32") -> object:
        return numpy_helper.from_array(np.array(value, dtype), name)

    constants = [
        number("image_scale", 0.05), number("image_zero", 100, "uint8"), number("two", -2),
        number("run_scale", 0.1), number("run_zero", -5, "int8"),
    ]  # fmt: skip
    nodes = [
        helper.make_node("Flatten", ["class"], ["self"]),
        helper.make_node("DequantizeLinear", ["the_image", "image_scale", "image_zero"], ["real"]),
        helper.make_node("Mul", ["real", "two"], ["twice"]),
        helper.make_node("QuantizeLinear", ["twice", "run_scale", "run_zero"], ["run"]),
        helper.make_node("ArgMax", ["in"], ["default"], axis=1, keepdims=0),
        helper.make_node("Not", ["flag"], ["_0_flags"]),
    ]
    types = {"bool": "BOOL", "float32": "FLOAT", "int64": "INT64", "int8": "INT8", "uint8": "UINT8"}
    inputs, outputs = (
        [
            helper.make_tensor_value_info(
                edge.name,
                getattr(TensorProto, types[edge.dtype]),
                ["n" if size < 0 else size for size in edge.shape or ()],
            )
            for edge in edges
        ]
        for edges in (INPUTS, OUTPUTS)
    )
    graph = helper.make_graph(nodes, "awkward", inputs, outputs, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = made.SerializeToString()
    return content


def _answers(model: Path) -> dict[str, np.ndarray]:
    """What a build records: two samples, and the file's answers to them."""
    import onnxruntime

    random = np.random.default_rng(0)
    raw = {
        "class": random.uniform(0, 255, (2, 2, 2, 3)).astype(np.float32),
        "the_image": random.uniform(-6, 9, (2, 4)).astype(np.float32),
        "in": random.normal(size=(2, 3)).astype(np.float32),
        "flag": np.array([[True, False], [False, False]]),
    }
    ready = {**raw, "class": preprocess(raw["class"], Preprocessing.model_validate(HOW), "float32")}
    edges = {edge.name: Edge(**edge.model_dump()) for edge in (*INPUTS, *OUTPUTS)}
    session = onnxruntime.InferenceSession(model)
    names = [edge.name for edge in OUTPUTS]
    runs = []
    for row in range(2):
        batch = {name: array[row : row + 1] for name, array in ready.items()} | {"flag": ready["flag"][row]}
        answers = session.run(names, {name: edges[name].quantize(array) for name, array in batch.items()})
        runs.append([edges[name].dequantize(answer) for name, answer in zip(names, answers, strict=True)])
    answers = {
        f"answers/awkward/{name}": np.stack(each) for name, each in zip(names, zip(*runs, strict=True), strict=True)
    }
    flat = {key: array[:, 0] if not key.endswith("flags") else array for key, array in answers.items()}
    return {"raw/class": raw["class"], **{f"inputs/{name}": array for name, array in ready.items()}, **flat}


def _manifest(model: bytes, recorded: bytes) -> Manifest:
    entry = ArtifactEntry(
        name="awkward",
        file="assets/models/odd/awkward.onnx",
        format="onnx",
        precision='odd "precision"\\(1)',
        interface="float32",
        scheme={"precision": "float32"},
        sha256=hashlib.sha256(model).hexdigest(),
        bytes=len(model),
        zipped_bytes=1,
        inputs=INPUTS,
        outputs=OUTPUTS,
        checks=(),
        key="0" * 64,
    )
    return Manifest.model_validate(
        {
            "target": "odd",
            "platform": "any",
            "version": '1"\\(2)',
            "source": {"form": "checkpoint", "files": {}},
            "data": {},
            "preprocessing": {"class": {**HOW, "folded": False}},
            "labels": {"self": LABELS},
            "transforms": (),
            "artifacts": (entry,),
            "app": {"class_name": "Awkward", "swift_module": "AwkwardModel"},
            "golden": hashlib.sha256(recorded).hexdigest(),
            "versions": {},
        }
    )
