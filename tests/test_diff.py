"""What breaks an app: of each kind a change that does, and its neighbour that does not."""

from collections.abc import Callable
from typing import Any

import pytest

from mobile_export.diff import Change, diff
from mobile_export.published.manifest import CheckEntry, EdgeEntry, Manifest, PreprocessingEntry
from tests.published_folder import APP, IMAGE, PROBABILITIES, artifact, device, manifest, not_run

MASK = EdgeEntry(name="mask", dtype="bool", shape=(1, 28))
QUANTIZED = IMAGE.model_copy(update={"dtype": "uint8", "scale": 0.5, "zero_point": 3})


def changed(entry: Any, **update: Any) -> Any:
    return entry.model_copy(update=update)


def with_class(*artifacts: Any, **more: Any) -> Manifest:
    return manifest(*artifacts, **{"app": APP, **more})


def texts(changes: list[Change], breaking: bool) -> list[str]:
    return [f"{', '.join(change.of)}: {change.text}" for change in changes if change.breaking is breaking]


def broken(old: Manifest, new: Manifest) -> list[str]:
    return texts(diff(old, new), True)


def fine(old: Manifest, new: Manifest) -> list[str]:
    """What changed where nothing broke."""
    found = diff(old, new)
    assert texts(found, True) == []
    return texts(found, False)


BOTH = pytest.mark.parametrize("made", [manifest, with_class], ids=["by hand", "class"])
Made = Callable[..., Manifest]


@BOTH
def test_nothing(made: Made) -> None:
    assert diff(made(), made()) == []


@BOTH
def test_what_is_of_a_target(made: Made) -> None:
    assert broken(made(), made(target="ios")) == ["target: is ios, was android: files have other paths"]
    new = made(platform="any", version="2", gate="warn", required_operators="1" * 64)
    assert fine(made(), new) == [
        "platform: android → any",
        "version: 1 → 2",
        "gate: published although limits were missed: it cannot be locked",
        "required_operators.config: changed: an ONNX Runtime reduced by it has to be built again",
    ]


# Names of the class


@pytest.mark.parametrize(
    ("update", "said"),
    [
        ({"class_name": "Numbers"}, "class: Digits → Numbers"),
        ({"kotlin_package": "com.example.other"}, "Kotlin package: com.example.digits → com.example.other"),
        ({"swift_module": "Other"}, "Swift module: DigitsModel → Other"),
        ({"swift_module": None}, "Swift module: DigitsModel is not generated any more"),
        ({"litert": ("interpreter",)}, "class: runs nothing by LiteRT's compiled_model any more"),
    ],
)
def test_names_of_the_class(update: dict[str, Any], said: str) -> None:
    assert broken(with_class(), with_class(app=changed(APP, **update))) == [said]


def test_a_class_where_there_was_none() -> None:
    kotlin = changed(APP, swift_module=None)
    assert fine(manifest(), with_class(app=kotlin)) == ["Kotlin package: com.example.digits is new"]
    assert fine(with_class(app=kotlin), with_class()) == ["Swift module: DigitsModel is new"]
    assert len(broken(with_class(), manifest())) == 2


def test_a_class_that_is_written_in_no_language() -> None:
    nameless = [changed(APP, kotlin_package=None, swift_module=None, class_name=name) for name in ("A", "B")]
    assert diff(with_class(app=nameless[0]), with_class(app=nameless[1])) == []


# Inputs and outputs


@pytest.mark.parametrize(("made", "of"), [(manifest, "digits"), (with_class, "class")], ids=["by hand", "class"])
@pytest.mark.parametrize(
    ("edges", "said"),
    [
        ({"inputs": (changed(IMAGE, name="picture"),)}, "input image is called picture"),
        ({"inputs": (changed(IMAGE, dtype="int32"),)}, "input image: float32[1, 28, 28, 1] → int32[1, 28, 28, 1]"),
        (
            {"inputs": (changed(IMAGE, shape=(-1, 28, 28, 1)),)},
            "input image: float32[1, 28, 28, 1] → float32[-1, 28, 28, 1]",
        ),
        ({"inputs": (IMAGE, MASK)}, "input mask is new: bool[1, 28]"),
        ({"outputs": (MASK,)}, "output probabilities is gone"),
        (
            {"outputs": (changed(PROBABILITIES, shape=(1, 11)),)},
            "output probabilities: float32[1, 10] → float32[1, 11]",
        ),
    ],
)
def test_edges(made: Made, of: str, edges: dict[str, Any], said: str) -> None:
    assert broken(made(), made(artifact(**edges))) == [f"{of}: {said}"]


def test_an_output_more() -> None:
    at_the_end = manifest(artifact(outputs=(PROBABILITIES, MASK)))
    at_the_start = artifact(outputs=(MASK, PROBABILITIES))
    assert fine(manifest(), at_the_end) == ["digits: output mask is new: bool[1, 28]"]
    assert broken(manifest(), manifest(at_the_start)) == ["digits: outputs are in another order: mask, probabilities"]
    assert fine(with_class(), with_class(at_the_start)) == ["class: output mask is new: bool[1, 28]"]


def test_order_counts_for_who_reads_files_by_hand() -> None:
    two, turned = artifact(inputs=(IMAGE, MASK)), artifact(inputs=(MASK, IMAGE))
    assert broken(manifest(two), manifest(turned)) == ["digits: inputs are in another order: mask, image"]
    assert diff(with_class(two), with_class(turned)) == []


def test_what_a_file_has_inside_is_the_affair_of_the_class() -> None:
    old, new = artifact(), artifact(inputs=(QUANTIZED,))
    assert broken(manifest(old), manifest(new)) == ["digits: input image: float32[1, 28, 28, 1] → uint8[1, 28, 28, 1]"]
    assert fine(with_class(old), with_class(new)) == ["digits: image: float32 → uint8 in the file, not in the class"]


def test_a_file_that_no_class_runs_is_read_by_hand() -> None:
    graphs = [artifact("graph", format="graphdef", inputs=(edge,)) for edge in (IMAGE, changed(IMAGE, dtype="int32"))]
    old, new = (with_class(artifact(), graph) for graph in graphs)
    assert broken(old, new) == ["graph: input image: float32[1, 28, 28, 1] → int32[1, 28, 28, 1]"]


# Files


@BOTH
def test_a_file_more_or_less(made: Made) -> None:
    two = made(artifact(), artifact("small", precision="int8"))
    assert fine(made(), two) == ["small: is new: tflite, int8, 1.0 kB"]
    assert broken(two, made()) == ["small: is gone"]


@BOTH
def test_another_runtime(made: Made) -> None:
    assert broken(made(), made(artifact(format="onnx"))) == [
        "digits: runs in onnxruntime, ran in litert: the app needs that library"
    ]


def test_another_file_of_the_same_runtime() -> None:
    old, new = artifact(format="onnx"), artifact(format="ort")
    said = "digits: is assets/models/android/digits.ort, was assets/models/android/digits.onnx"
    assert broken(manifest(old), manifest(new)) == [said]
    assert fine(with_class(old), with_class(new)) == [said]


@BOTH
def test_content(made: Made) -> None:
    def accuracy(value: float) -> CheckEntry:
        return CheckEntry(
            check="accuracy", name="accuracy", value=value, limit=None, at_least=True, passed=True, unit="share"
        )

    old = artifact(inputs=(QUANTIZED,), checks=(accuracy(0.98),))
    new = changed(
        old,
        inputs=(changed(QUANTIZED, scale=0.25),),
        sha256="1" * 64,
        bytes=2000,
        precision="int8",
        checks=(accuracy(0.97),),
        unchecked="no runtime has it",
    )
    assert fine(made(old), made(new)) == [
        "digits: precision float32 → int8",
        "digits: other bytes: 1.0 kB → 2.0 kB",
        "digits: accuracy 98.00 % → 97.00 %",
        "digits: is not checked any more: no runtime has it",
        "digits: image: scale 0.5, zero point 3 → scale 0.25, zero point 3",
    ]


def test_kernels_that_a_phone_may_lack() -> None:
    old, new = (artifact(format="graphdef", kernels=dict.fromkeys(names, ())) for names in (["A"], ["A", "B"]))
    assert fine(manifest(old), manifest(new)) == ["digits: needs kernels that it did not: 'B'"]


def test_what_happens_to_several_files_is_said_once() -> None:
    old = manifest(artifact("a"), artifact("b"))
    new = manifest(*(artifact(name, inputs=(changed(IMAGE, name="picture"),)) for name in "ab"))
    assert broken(old, new) == ["a, b: input image is called picture"]


# Labels


@BOTH
@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (("a", "b"), ("b", "a"), "are in another order"),
        (("a", "b"), (), "are gone"),
        (("a", "b", "c"), ("a",), "gone: 'b', 'c'"),
        (("a", "b"), ("a", "x"), "number 1 is 'x', was 'b'"),
        (("a", "b"), ("a", "x", "b"), "number 1 is 'x', was 'b'"),
    ],
)
def test_labels(made: Made, before: tuple[str, ...], after: tuple[str, ...], said: str) -> None:
    old, new = (made(labels={"probabilities": names} if names else {}) for names in (before, after))
    assert broken(old, new) == [f"labels of probabilities: {said}"]


@BOTH
def test_labels_more(made: Made) -> None:
    named = made(labels={"probabilities": ("a",)})
    more = made(labels={"probabilities": ("a", *"bcdefgh")})
    assert fine(made(), named) == ["labels of probabilities: 1 are new"]
    assert fine(named, more) == ["labels of probabilities: new at the end: 'b', 'c', 'd', 'e', 'f' and 2 more"]


# Preprocessing


def prepared(made: Made, scale: float = 1 / 255, folded: bool = False, order: str = "rgb", **more: Any) -> Manifest:
    given = {"mean": (0.5,), "std": (0.5,), **more}
    how = PreprocessingEntry(scale=scale, channel_order=order, folded=folded, **given)
    return made(preprocessing={"image": how})


@BOTH
def test_another_spelling_of_the_same_preprocessing(made: Made) -> None:
    assert diff(prepared(made), prepared(made, scale=1.0, mean=(127.5,), std=(127.5,))) == []
    assert diff(prepared(made), prepared(made, mean=(0.5, 0.5, 0.5))) == []


@BOTH
def test_raw_values_in_other_units(made: Made) -> None:
    assert broken(prepared(made), prepared(made, scale=1.0)) == [
        "preprocessing of image: scale 0.00392157 → 1: raw values are in other units"
    ]
    assert broken(made(), prepared(made)) == ["preprocessing of image: is new: the app feeds raw values"]
    assert broken(prepared(made), made()) == ["preprocessing of image: is gone: the app feeds preprocessed values"]


@pytest.mark.parametrize(
    ("update", "after"),
    [
        ({"mean": (0.4, 0.5, 0.6)}, "(raw × 0.00392157 - [0.4, 0.5, 0.6]) / 0.5, rgb"),
        ({"std": (0.25,)}, "(raw × 0.00392157 - 0.5) / 0.25, rgb"),
        ({"order": "bgr"}, "(raw × 0.00392157 - 0.5) / 0.5, bgr"),
        ({"folded": True}, "(raw × 0.00392157 - 0.5) / 0.5, rgb, by the file"),
    ],
)
def test_another_normalization_is_done_by_the_class(update: dict[str, Any], after: str) -> None:
    said = f"preprocessing of image: (raw × 0.00392157 - 0.5) / 0.5, rgb → {after}"
    assert fine(prepared(with_class), prepared(with_class, **update)) == [f"{said}: the app feeds the same raw values"]
    assert broken(prepared(manifest), prepared(manifest, **update)) == [
        f"{said}: the app does it, without a generated class"
    ]


def test_another_normalization_is_done_by_the_file() -> None:
    assert fine(prepared(manifest, folded=True), prepared(manifest, folded=True, std=(0.25,)))


@BOTH
def test_a_damaged_manifest_is_different(made: Made) -> None:
    for damage in ({"mean": ()}, {"std": (0.0,)}, {"std": (1.0, 2.0), "mean": (1.0, 2.0, 3.0)}):
        assert diff(prepared(made), prepared(made, **damage))


def test_what_is_taken_where_a_call_names_nothing() -> None:
    first, second, other = artifact("a"), artifact("b"), artifact("c", format="onnx")
    assert fine(with_class(first, second), with_class(second, first)) == [
        "class: opens b where no variant is named, opened a"
    ]
    assert broken(with_class(first, other), with_class(other, first)) == [
        "class: opens c where no variant is named, opened a, which another runtime runs"
    ]
    assert diff(manifest(first, other), manifest(other, first)) == []
    swapped = changed(APP, litert=APP.litert[::-1])
    assert fine(with_class(), with_class(app=swapped)) == [
        "class: runs .tflite by LiteRT's interpreter, ran by compiled_model, by default"
    ]


# Devices


@BOTH
def test_devices_break_no_app(made: Made) -> None:
    same, far = device("cortex-a53"), device("cortex-a53", 0.5)
    plain, ran, skipped = (made(artifact(devices=each)) for each in ((), (same,), (not_run(),)))
    assert fine(plain, ran) == ["digits: on arm64:cortex-a53: not run → the same answers to 32 samples"]
    assert fine(ran, skipped) == ["digits: on arm64:cortex-a53: the same answers to 32 samples → not run"]
    assert fine(ran, made(artifact(devices=(far,)))) == [
        "digits: on arm64:cortex-a53: the same answers to 32 samples → answers to 32 samples differ by 0.5"
    ]
    assert fine(plain, skipped) == fine(ran, ran) == []
