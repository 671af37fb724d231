"""Kotlin as text: what is in it for which model, and what is refused. tests/e2e/test_kotlin.py compiles and runs it."""

import re
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from mobile_export.apps.interface import Interface, interface_of
from mobile_export.apps.kotlin import Kotlin, names
from mobile_export.apps.templating import header
from mobile_export.errors import TargetError
from mobile_export.published.manifest import ArtifactEntry, EdgeEntry, PreprocessingEntry
from mobile_export.target import App
from tests.apps.manifests import entry, manifest

PACKAGE = {"class_name": "Demo", "kotlin_package": "com.example.demo"}


def interface(*entries: ArtifactEntry, app: dict[str, Any] = PACKAGE, **more: Any) -> Interface:
    return interface_of(manifest(*(entries or [entry("a", "onnx")]), app=app, **more))


def written(*entries: ArtifactEntry, **more: Any) -> dict[str, str]:
    """Texts by the name of their file."""
    return {path.rsplit("/", 1)[1]: text for path, text in Kotlin().generate(interface(*entries, **more)).items()}


def test_it_is_written_where_a_package_is_named() -> None:
    assert Kotlin().wanted(interface().app)
    assert not Kotlin().wanted(interface(app={"class_name": "Demo", "swift_module": "Demo"}).app)


def test_there_is_an_adapter_for_each_runtime_that_files_need() -> None:
    paths = Kotlin().generate(interface())
    assert list(paths) == [f"kotlin/com/example/demo/Demo{end}.kt" for end in ("", "Asset", "OnnxRuntime")]
    both = {"DemoCompiledModel.kt", "DemoInterpreter.kt"}
    assert set(written(entry("a", "tflite"))) == {"Demo.kt", "DemoAsset.kt"} | both
    assert both < set(written(entry("a", "ort"), entry("b", "tflite")))


@pytest.mark.parametrize(
    ("litert", "default", "absent"),
    [
        (["compiled_model", "interpreter"], "CompiledModel", None),
        (["interpreter", "compiled_model"], "Interpreter", None),
        (["interpreter"], "Interpreter", "DemoCompiledModel.kt"),
        (["compiled_model"], "CompiledModel", "DemoInterpreter.kt"),
    ],
)
def test_an_app_names_the_classes_of_litert_that_it_links(litert: list[str], default: str, absent: str | None) -> None:
    texts = written(entry("a", "tflite"), app={**PACKAGE, "litert": litert})
    assert f"val liteRt: Adapter = Demo{default}()" in texts["Demo.kt"]
    assert absent not in texts
    others = {"CompiledModel": "Demo.kt DemoInterpreter.kt", "Interpreter": "Demo.kt DemoCompiledModel.kt"}
    for name in {"CompiledModel", "Interpreter"} - {end.title().replace("_", "") for end in litert}:
        assert all(f"Demo{name}" not in texts[file] for file in others[name].split() if file in texts)


def test_what_an_app_links_is_said_in_the_target() -> None:
    assert App().litert == ("compiled_model", "interpreter")
    assert App(litert=("interpreter",)).litert == ("interpreter",)
    for wrong in ((), ("interpreter", "interpreter"), ("flex",)):
        with pytest.raises(ValidationError):
            App(litert=wrong)


def test_it_says_who_wrote_it_and_is_the_same_each_time() -> None:
    texts = written()
    for text in texts.values():
        assert text.startswith(f"{header('demo')}\n\npackage com.example.demo\n")
        assert text.endswith("}\n") or "\nprivate fun" in text or "\npublic val" in text
        assert max(map(len, text.splitlines())) <= 140
    assert written() == texts


def test_values_go_straight_to_the_runtime_unless_something_changes_them() -> None:
    plain = written(entry("a", "onnx"))["Demo.kt"]
    assert "val image: FloatBuffer = imageMemory.buffer.asFloatBuffer()" in plain
    assert "Memory.fill" not in plain
    stored = written(entry("a", "onnx"), entry("b", "tflite", dtype="int8", scale=0.25))["Demo.kt"]
    assert "val image: FloatBuffer = imageMemory.values().asFloatBuffer()" in stored
    assert "if (imageMemory.edge.quantized) imageMemory.fill { image.get(it) }" in stored
    assert 'Edge("image", Type.INT8, 0.25, 3)' in stored


def how(folded: bool = False, **more: Any) -> dict[str, Any]:
    about = {"scale": 0.1, "mean": (0.5,), "std": (2.0,), "channel_order": "rgb", **more}
    return {"preprocessing": {"image": PreprocessingEntry(**about, folded=folded)}}


@pytest.mark.parametrize(
    ("about", "shape", "value"),
    [
        ({}, (1, 4), "(image.get(i) * 0.1f - 0.5f) / 2f"),
        ({"mean": (1.0, 2.0, 3.0)}, (1, 2, 3), "(image.get(i) * 0.1f - imageMean[i % 3]) / 2f"),
        (
            {"std": (1.0, 2.0, 1e-7), "channel_order": "bgr"},
            (1, 2, 3),
            "(image.get(i + 2 - 2 * (i % 3)) * 0.1f - 0.5f) / imageStd[i % 3]",
        ),
    ],
)
def test_raw_values_are_preprocessed_on_the_way(about: dict[str, Any], shape: tuple[int, ...], value: str) -> None:
    text = written(entry("a", "onnx", shape=shape), **how(**about))["Demo.kt"]
    assert f"private fun imageValue(i: Int): Float = {value}\n" in text
    assert ("imageStd = floatArrayOf(1f, 2f, 1e-07f)" in text) == ("std" in about)


def test_open_sizes_are_asked_for_where_onnx_runtime_runs_all_files() -> None:
    text = written(entry("a", "onnx", shape=(-1, 4)))
    assert "public val image: List<Int> = listOf(1, 4)," in text["Demo.kt"]
    assert "Memory(variant.inputs[0], shapes.image)," in text["Demo.kt"]
    assert "variant, options, shapes)" in text["DemoAsset.kt"]
    assert all("hapes" not in text for text in written().values())
    fixed = written(entry("a", "onnx", shape=(-1, 4)), entry("b", "tflite"))["Demo.kt"]
    assert "hapes" not in fixed, "where one file fixes the sizes, all of them are opened so"


def test_what_the_file_does_itself_is_not_done_twice() -> None:
    assert written(**how(folded=True)) == written()


def test_members_keep_their_public_names_as_far_as_kotlin_lets_them() -> None:
    public = [
        "image",
        "a_b",
        "aB",
        "Image",
        "RGB",
        "detection_boxes",
        "class",
        "run",
        "_",
        "2d",
        "imageMemory",
        "Variant",
    ]
    assert names.members(public) == [
        *("image", "aB", "aB_", "image_", "rgb", "detectionBoxes", "class_", "run_", "tensor", "_2d"),
        *("imageMemory_", "variant_"),
    ]


def test_variants_are_named_apart() -> None:
    assert names.cases(["digits_int8", "digits-int8", "8bit", "über"]) == [
        "DIGITS_INT8",
        "DIGITS_INT8_",
        "_8BIT",
        "_BER",
    ]


def test_text_of_strangers_stays_text() -> None:
    assert names.literal('a"$b\\\n\t\0é\u202e😀') == r'"a\"\$b\\\n\t\u0000é\u202e😀"'
    assert names.literal("\ud800") == r'"\ud800"'
    assert names.comment("a */ b /* c\nd") == "a * / b / * c d"
    assert names.package("com.in.object.x") == "com.`in`.`object`.x"
    evil = interface()
    evil = replace(evil, target='x"\nfun evil() {} /*', version='"${System.exit(1)}')
    text = Kotlin().generate(evil)["kotlin/com/example/demo/Demo.kt"]
    assert text.startswith('// Generated by mobile-export from the target "x" fun evil() {} /*"; do not edit.\n')
    assert r'MODEL_VERSION: String = "\"\${System.exit(1)}"' in text


@pytest.mark.parametrize(
    "labels", [["a"], ["a", "b\n", ""], ["\n", "\0"], [f"{i}" * 9 for i in range(40_000)], ["x" * 9_000] * 3]
)
def test_labels_come_in_pieces_that_java_can_hold(labels: list[str]) -> None:
    separator = names.label_separator(labels)
    lines = list(names.label_lines(labels, separator))
    assert "".join(lines).split(separator) == labels
    assert len(lines) <= 4000
    assert all(len(line) <= 65_535 // 6 for line in lines)


def typed(name: str, form: str, dtype: str, shape: tuple[int, ...] = (1, 4)) -> ArtifactEntry:
    edge = EdgeEntry(name="x", dtype=dtype, shape=shape)
    return entry(name, form).model_copy(update={"inputs": (edge,)})


@pytest.mark.parametrize(
    ("entries", "more", "said"),
    [
        ([typed("a", "onnx", "float16")], {}, "'x' is float16, which no buffer holds; leave kotlin_package out"),
        ([typed("a", "onnx", "string")], {}, "'x' is string, which no buffer holds"),
        ([typed("a", "tflite", "float32", (-1, 4))], {}, "'x' is [-1, 4], and LiteRT's Java classes take fixed sizes"),
        ([typed("a", "tflite", "float64")], {}, "'x' of a is float64, which its runtime's Java classes do not hold"),
        (
            [typed("a", "tflite", "int16")],
            {"app": {**PACKAGE, "litert": ["compiled_model"]}},
            "'x' of a is int16, which its runtime's Java classes do not hold",
        ),
        ([entry("a", "onnx", dtype="float64")], how(), "'image' is float64, and only float32 is preprocessed"),
        ([entry("a", "onnx", dtype="uint16", scale=0.5)], {}, "'image' of a is uint16, which its runtime's"),
        ([entry("a", "onnx", dtype="int32", scale=0.5)], {}, "'image' of a is int32, which its runtime's"),
        ([], {"app": {**PACKAGE, "class_name": "A B"}}, "'A B' is no name"),
        ([], {"app": {**PACKAGE, "kotlin_package": "a..b"}}, "'' is no name"),
        ([], {"app": {**PACKAGE, "class_name": "String"}}, "it has a class of this name; choose another class_name"),
        ([], {"labels": {"classes": ["x" * 10_001]}}, "a label of 'classes' is longer than 10000 characters"),
    ],
)
def test_what_kotlin_cannot_say_is_refused(entries: list[ArtifactEntry], more: dict[str, Any], said: str) -> None:
    with pytest.raises(TargetError) as refused:
        written(*entries, **more)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"demo: Kotlin for {more.get('app', PACKAGE)['class_name']}: ")


def test_every_class_that_the_code_names_is_taken() -> None:
    """A model's class would hide it, or be hidden."""
    texts = [*written(entry("a", "onnx"), entry("b", "tflite"), **how()).values()]
    imported = {line.rsplit(".", 1)[1] for text in texts for line in text.splitlines() if line.startswith("import ")}
    assert {name for name in imported if name[0].isupper()} <= names.TYPES


def test_buffers_are_wound_back_as_old_phones_can() -> None:
    """Compiled against Android 14 or later, `FloatBuffer.clear()` is a method that phones before it lack."""
    texts = written(entry("a", "onnx"), entry("b", "tflite", dtype="int8", scale=0.5), **how()).values()
    calls = {
        found for text in texts for found in re.findall(r"\w+\.(?:clear|rewind|flip|position|limit|mark|reset)\(", text)
    }
    assert calls == {"buffer.clear("}
    assert all("buffer: Buffer" in text or "Array<Buffer>" in text for text in texts if "buffer.clear(" in text)
