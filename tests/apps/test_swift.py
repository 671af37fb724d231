"""Swift as text: what is in it for which model, and what is refused. tests/e2e/test_swift.py builds and runs it."""

import re
from dataclasses import replace
from typing import Any

import pytest

from mobile_export.apps import swift_names as names
from mobile_export.apps.interface import Interface, interface_of
from mobile_export.apps.swift import Swift, describe, render
from mobile_export.errors import TargetError
from mobile_export.manifest import ArtifactEntry
from tests.apps.manifests import entry, manifest

MODULE = {"class_name": "Demo", "swift_module": "DemoModel"}
PACKAGE = ("Package.swift", "GoldenTests.swift")


def interface(*entries: ArtifactEntry, app: dict[str, Any] = MODULE, **more: Any) -> Interface:
    return interface_of(manifest(*(entries or [entry("a", "onnx")]), app=app, **more))


def written(*entries: ArtifactEntry, **more: Any) -> dict[str, str]:
    """Texts by the name of their file."""
    return {path.removeprefix("swift/"): text for path, text in Swift().generate(interface(*entries, **more)).items()}


def awkward() -> Interface:
    """One in which everything is awkward, for both runtimes."""
    edges = ("class", "in put", "0", "self")
    labels = {"run": ('"', "\\(1)", "", "日本", "right‮left", "\ud800")}
    how = {"scale": 0.5, "mean": (1.0, 2.0, 3.0), "std": (1.0,), "channel_order": "bgr", "folded": False}
    files = [
        entry(name, form, edges, ("run",), (-1, 2, 2, 3)) for name, form in (("a-b", "onnx"), ("default", "tflite"))
    ]
    whole = interface(*files, preprocessing={"class": how}, version='1"\\(2)\n*/')
    (output,) = whole.outputs
    return replace(whole, target='odd "target"\\(1)\n*/', outputs=(replace(output, labels=labels["run"]),))


def has_errors(text: str) -> bool:
    """Whether a parser of Swift finds any."""
    import tree_sitter_swift
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_swift.language())).parse(text.encode()).root_node.has_error


@pytest.mark.parametrize("whole", [interface(), interface(entry("a", "tflite", dtype="uint8", scale=0.5)), awkward()])
def test_it_parses_whatever_it_is_made_of(whole: Interface) -> None:
    about = {**describe(whole), "package": 'my "package"', "recorded": describe(whole)["variants"]}
    texts = Swift().generate(whole) | {name: render(f"package/{name}.j2", about) for name in PACKAGE}
    assert [path for path, text in texts.items() if has_errors(text)] == []


def test_the_parser_finds_what_is_broken() -> None:
    assert has_errors(written()["Demo.swift"].replace("public final class", "public final", 1))


def test_it_is_written_where_a_module_is_named() -> None:
    assert Swift().wanted(interface())
    assert not Swift().wanted(interface(app={"class_name": "Demo", "kotlin_package": "com.example"}))


def test_there_is_an_adapter_for_each_runtime_that_files_need() -> None:
    always = {"Demo.swift", "DemoRuntime.swift", "DemoEdges.swift", "DemoSelfTest.swift"}
    assert set(written(entry("a", "onnx"), entry("b", "ort"))) == always | {"DemoOnnxRuntime.swift"}
    assert set(written(entry("a", "tflite"))) == always | {"DemoLiteRT.swift"}
    assert all("onnxRuntimeOpener" not in text for text in written(entry("a", "tflite")).values())


def test_it_says_who_wrote_it_and_is_the_same_each_time() -> None:
    texts = written()
    assert texts == written()
    for text in texts.values():
        assert text.startswith('// Made by mobile-export from the target "demo". Changes will be overwritten.\n')
        assert text.endswith("}\n") or text.endswith("#endif\n")
        assert max(map(len, text.splitlines())) <= 160


def test_several_models_have_room_in_one_module() -> None:
    for text in written(entry("a", "onnx"), entry("b", "tflite")).values():
        declared = re.findall(
            r"^(?:public |final )*(?:class|enum|extension|func|protocol|struct|typealias) (\w+)", text, re.M
        )
        assert declared
        assert all(name.startswith("Demo") for name in declared), "what is not private has the model's name"


def test_what_a_model_is_called_stays_within_its_line() -> None:
    text = Swift().generate(awkward())["swift/Demo.swift"]
    assert text.startswith('// Made by mobile-export from the target "odd \\"target\\"\\\\(1)\\n*/". ')
    assert '/// The model of the target odd "target"\\(1) */, version 1"\\(2) */.\n' in text
    assert 'modelVersion: String = "1\\"\\\\(2)\\n*/"' in text


def test_labels_are_lines_of_a_literal() -> None:
    text = Swift().generate(awkward())["swift/Demo.swift"]
    labels = ('\\"', "\\\\(1)", "", "日本", "right\\u{202E}left", "\\u{FFFD}")
    lines = "".join(f"        {label}\n" for label in labels)
    assert f'runLabels: [String] = lines(\n        """\n{lines}        """)\n' in text.replace(
        "run_Labels", "runLabels"
    )


def test_labels_of_several_lines_are_refused() -> None:
    with pytest.raises(TargetError, match="demo: a label of 'classes' has a line break in it; take it out"):
        written(labels={"classes": ("a\nb",)})


def test_another_variant_is_another_argument() -> None:
    text = written(entry("digits_int8", "tflite", dtype="int8", scale=0.5), entry("digits_float", "onnx"))["Demo.swift"]
    assert 'case digitsInt8 = "digits_int8"' in text
    assert 'case digitsFloat = "digits_float"' in text
    assert 'Edge("image", .int8, scale: 0.5, zeroPoint: 3)' in text
    assert 'Edge("image", .float32)' in text
    assert "public let image: Tensor<Float>" in text


@pytest.mark.parametrize(
    ("dtype", "type_"), [("bool", "Bool"), ("float64", "Double"), ("int64", "Int64"), ("uint8", "UInt8")]
)
def test_elements_have_swifts_own_types(dtype: str, type_: str) -> None:
    text = written(entry("a", "onnx", dtype=dtype))["Demo.swift"]
    assert f"public let image: Tensor<{type_}>" in text
    assert ("edges.realInput(" in text) == (dtype == "float64")


def test_open_sizes_are_asked_for() -> None:
    text = written(entry("a", "onnx", shape=(-1, 4)))["Demo.swift"]
    assert "public var image: [Int] = [1, 4]" in text
    assert 'try Demo.check(shapes.image, is: [-1, 4], "image")' in text
    assert "Shapes" not in written()["Demo.swift"]


def test_preprocessing_is_done_unless_the_files_do_it() -> None:
    how = {"scale": 0.5, "mean": (1.0,), "std": (2.0,), "channel_order": "rgb", "folded": False}
    text = written(preprocessing={"image": how})["Demo.swift"]
    assert "Preprocessing(\n            scale: 0.5,\n            mean: [1.0],\n            std: [2.0],\n" in text
    assert "Preprocessing(" not in written(preprocessing={"image": {**how, "folded": True}})["Demo.swift"]


@pytest.mark.parametrize(
    ("public", "member"),
    [
        (["image_tensor", "ImageTensor"], ["imageTensor", "imageTensor_"]),
        (["x", "xLabels"], ["x", "xLabels_"]),
        (["run", "self", "class", "IN"], ["run_", "self_", "class", "in"]),
        (["0", "größe", "日本", "a/b:0"], ["_0", "grE", "tensor", "aB0"]),
    ],
)
def test_members_are_as_near_to_public_names_as_can_be(public: list[str], member: list[str]) -> None:
    assert names.members(public, names.MEMBERS, endings=("", "Labels")) == member


def test_keywords_are_quoted_where_they_are_declared() -> None:
    text = written(entry("default", "onnx", inputs=("class",)))["Demo.swift"]
    assert "public let `class`: Tensor<Float>" in text
    assert 'case `default` = "default"' in text
    assert "_ variant: Variant = .default," in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_name": "Data"}, "Swift cannot have 'Data' as [app] class_name; choose another name"),
        ({"class_name": "A { }"}, "Swift cannot have 'A { }' as [app] class_name"),
        ({"swift_module": "Swift"}, "Swift cannot have 'Swift' as [app] swift_module"),
        ({"swift_module": 'M"); system("'}, "as [app] swift_module"),
    ],
)
def test_names_that_swift_cannot_have_are_refused(changes: dict[str, str], message: str) -> None:
    with pytest.raises(TargetError) as raised:
        Swift().generate(replace(interface(), **changes))
    assert message in str(raised.value)


def test_elements_that_swift_has_no_type_for_are_refused() -> None:
    with pytest.raises(TargetError, match=r"demo: 'image' is complex64, which Swift has no numbers for"):
        written(entry("a", "onnx", dtype="complex64"))
