"""Target files: what loads, and what is said about those that do not."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from mobile_export.errors import TargetError
from mobile_export.planning.plan import choices
from mobile_export.target import Choices, MetricChoice, Target, UserCode, json_schema, load_target
from mobile_export.transform_string import Call

TARGETS = Path(__file__).parent.parent.parent / "targets"
CHOICES = Choices(
    formats={
        "tflite": {"float32": ("float32",), "int8": ("float32", "int8", "uint8")},
        "onnx": {"float32": ("float32",)},
    },
    metrics={"top1": (), "top_k": ("k",)},
    data_checks=("normalization", "overlap"),
    schemes={"tflite": {"layers": ("int8", "float32"), "ranges": ("minmax",), "weights": ("minmax", "mse")}},
    transforms={"default": (), "strip": (), "sort": (), "remove_nodes": ("op", "max_inputs"), "freeze": ("log",)},
    transform_files={"freeze": ("log",)},
    devices=("toy:small", "toy:large"),
)
MINIMAL = """
name = "digits"
[model]
source = "model.ckpt"
[[artifacts]]
name = "digits_float"
format = "tflite"
"""
FULL = """
name = "digits"
platform = "android"

[model]
source = "../model/model.ckpt"
constants = [{ tensor = "training:0", value = false }]

[[model.inputs]]
name = "image"
tensor = "input:0"
shape = [-1, 28, 28, 1]

[[model.outputs]]
name = "scores"
tensor = "scores:0"
labels = "labels.txt"

[data]
calibration = { source = "calibration.npz", samples = 10, seed = 3 }
evaluation = { source = "/data/evaluation.npz", metric = "top1", samples = 50 }

[transforms]
passes = ["sort", "strip"]


[[artifacts]]
name = "digits_int8"
format = "tflite"
precision = "int8"
interface = "uint8"
limits = { accuracy_drop = 0.01, size = 100000 }

[[artifacts]]
name = "digits_float"
format = "onnx"
"""


def load(folder: Path, text: str) -> Target:
    path = folder / "digits.toml"
    path.write_text(text, encoding="utf-8")
    return load_target(path, CHOICES)


def complaints(folder: Path, text: str) -> list[str]:
    """The lines of the one error, each without the file that it has to name."""
    with pytest.raises(TargetError) as caught:
        load(folder, text)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{folder / 'digits.toml'}: ") for line in lines), lines
    return [line.removeprefix(f"{folder / 'digits.toml'}: ") for line in lines]


def test_a_full_file(tmp_path: Path) -> None:
    target = load(tmp_path, FULL)
    assert target.model_dump(exclude_defaults=True) == {
        "name": "digits",
        "platform": "android",
        "model": {
            "source": tmp_path / "../model/model.ckpt",
            "inputs": ({"name": "image", "tensor": "input:0", "shape": (-1, 28, 28, 1)},),
            "outputs": ({"name": "scores", "tensor": "scores:0", "labels": tmp_path / "labels.txt"},),
            "constants": ({"tensor": "training:0", "value": False},),
        },
        "data": {
            "calibration": {"source": tmp_path / "calibration.npz", "samples": 10, "seed": 3},
            "evaluation": {"source": Path("/data/evaluation.npz"), "samples": 50},
        },
        "transforms": {"passes": ("sort", "strip")},
        "artifacts": (
            {
                "name": "digits_int8",
                "format": "tflite",
                "precision": "int8",
                "interface": "uint8",
                "limits": {"accuracy_drop": 0.01, "size": 100_000},
            },
            {"name": "digits_float", "format": "onnx"},
        ),
    }


def with_data(data: str) -> str:
    return MINIMAL.replace("[[artifacts]]", f"[data]\n{data}\n[[artifacts]]")


def test_data_of_the_users_own_code(tmp_path: Path) -> None:
    data = load(tmp_path, with_data('evaluation = { source = "my.data:images", metric = "my_metrics:score" }')).data
    assert data.evaluation is not None
    assert data.evaluation.source == UserCode(tmp_path, "my.data", "images")
    assert data.evaluation.metric == MetricChoice("my_metrics:score", {}, UserCode(tmp_path, "my_metrics", "score"))
    assert data.model_dump(mode="json")["evaluation"]["source"] == "my.data:images"


def test_metrics_with_parameters(tmp_path: Path) -> None:
    written = 'evaluation = { source = "e.npz", metric = { name = "top_k", k = 5 } }'
    data = load(tmp_path, with_data(written)).data
    assert data.evaluation is not None
    assert data.evaluation.metric == MetricChoice("top_k", {"k": 5})
    assert data.model_dump(mode="json")["evaluation"]["metric"] == {"name": "top_k", "k": 5}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            'evaluation = { source = "e.npz", metric = "top5" }',
            "data.evaluation.metric: 'top5' is not known (did you mean 'top1'?); allowed: top1, top_k",
        ),
        (
            'evaluation = { source = "e.npz", metric = { name = "top_k", n = 5 } }',
            "data.evaluation.metric: top_k has no parameter 'n'; allowed: k",
        ),
        (
            'evaluation = { source = "e.npz", metric = { name = "top1", k = 5 } }',
            "data.evaluation.metric: top1 has no parameter 'k'; it has none",
        ),
        (
            'evaluation = { source = "e.npz", metric = 3 }',
            'data.evaluation.metric: 3 names no metric; write "top1", or { name = "top_k", k = 5 }',
        ),
        ("calibration = { source = 3 }", "data.calibration.source: 3 is no path; write it in quotes"),
        (
            'accept = ["overlaps"]',
            "data.accept: 'overlaps' is not known (did you mean 'overlap'?); allowed: normalization, overlap",
        ),
    ],
)
def test_wrong_data(tmp_path: Path, data: str, said: str) -> None:
    with pytest.raises(TargetError) as error:
        load(tmp_path, with_data(data))
    assert str(error.value) == f"{tmp_path / 'digits.toml'}: {said}"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            'layers = { conv = "float" }',
            "artifacts[0].layers: 'float' is not known (did you mean 'float32'?); allowed: int8, float32",
        ),
        (
            'weights = "msee"',
            "artifacts[0].weights: 'msee' is not known (did you mean 'mse'?); allowed: minmax, mse",
        ),
        ('compute = "float"', "artifacts[0].compute: input should be 'any' or 'integer' (it is 'float')"),
        ("limits = { confidence = 95 }", "artifacts[0].limits.confidence: input should be less than 1 (it is 95)"),
    ],
)
def test_wrong_schemes(tmp_path: Path, keys: str, said: str) -> None:
    with pytest.raises(TargetError) as error:
        load(tmp_path, MINIMAL + keys)
    assert str(error.value) == f"{tmp_path / 'digits.toml'}: {said}"


def test_a_format_without_layers_of_its_own(tmp_path: Path) -> None:
    text = MINIMAL.replace('"tflite"', '"onnx"') + 'weights = "mse"'
    with pytest.raises(TargetError, match=r"weights: layers of onnx have no precisions of their own; leave it out"):
        load(tmp_path, text)


def test_defaults(tmp_path: Path) -> None:
    target = load(tmp_path, MINIMAL)
    artifact = target.artifacts[0]
    assert (target.platform, target.transforms.passes.calls, target.model.inputs) == ("any", (Call("default"),), ())
    assert (artifact.precision, artifact.interface, set(dict(artifact.limits).values())) == ("float32", None, {None})


def test_paths_are_absolute_when_the_target_file_is_named_relative(tmp_path: Path, monkeypatch) -> None:
    load(tmp_path, MINIMAL)
    monkeypatch.chdir(tmp_path)
    assert load_target(Path("digits.toml"), CHOICES).model.source == tmp_path / "model.ckpt"


@pytest.mark.parametrize("value", ["true", "1", "0.5"])
def test_constants_keep_their_type(tmp_path: Path, value: str) -> None:
    constants = f'constants = [{{ tensor = "t:0", value = {value} }}]'
    target = load(tmp_path, MINIMAL.replace("[[artifacts]]", f"{constants}\n[[artifacts]]"))
    assert str(target.model.constants[0].value).lower() == value


def test_preprocessing_by_public_name(tmp_path: Path) -> None:
    assert load(tmp_path, FULL).model.preprocessing == {}
    how = 'preprocessing = { scale = 2, mean = 0.5, std = [1, 2, 3], channel_order = "bgr", fold = true }'
    found = load(tmp_path, replaced("shape =", f"{how}\nshape =")).model.preprocessing["image"]
    assert dict(found) == {"scale": 2.0, "mean": (0.5,), "std": (1.0, 2.0, 3.0), "channel_order": "bgr", "fold": True}


def test_keys_dump_it_without_warnings(tmp_path: Path) -> None:
    how = "preprocessing = { mean = [1, 2, 3] }"
    dumped = load(tmp_path, replaced("shape =", f"{how}\nshape =")).model_dump(mode="json")
    assert dumped["model"]["inputs"][0]["preprocessing"]["mean"] == [1, 2, 3]
    assert dumped["transforms"]["passes"] == ["sort", "strip"]


def test_a_target_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load(tmp_path, MINIMAL).name = "other"


@pytest.mark.parametrize("name", ["android", "ios"])
def test_the_targets_of_this_project_load(name: str) -> None:
    target = load_target(TARGETS / f"{name}.toml", choices())
    assert target.name == name
    assert target.model_validate(target.model_dump(), context={"choices": choices()}) == target


def replaced(old: str, new: str) -> str:
    assert old in FULL, old
    return FULL.replace(old, new, 1)


NO_ARTIFACTS = FULL.partition("[[artifacts]]")[0]
TOO_FEW = "artifacts: name at least one"
NAME_RULE = "use lower-case letters, digits and underscores"
SIZE_RULE = "sizes are positive, or -1 for a dynamic dimension"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("platform =", "platfrom =", "platfrom: unknown key (did you mean 'platform'?); allowed here: name, platform,"),
        ("samples = 10", "sample = 1", "data.calibration.sample: unknown key (did you mean 'samples'?); allowed here:"),
        ("labels =", "zzz =", "model.outputs[0].zzz: unknown key; allowed here: name, tensor, labels"),
        ("size =", "siz =", "artifacts[0].limits.siz: unknown key (did you mean 'size'?); allowed here: accuracy,"),
        ('"tflite"', '"tflit"', "artifacts[0].format: 'tflit' is not known (did you mean 'tflite'?); allowed: tflite,"),
        ('"tflite"', '"onnx"', "artifacts[0].precision: 'int8' is not known; allowed: float32"),
        ('"int8"', '"int4"', "artifacts[0].precision: 'int4' is not known (did you mean 'int8'?); allowed: float32"),
        ('"uint8"', '"int16"', "artifacts[0].interface: 'int16' is not known (did you mean 'int8'?); allowed: float32"),
        ('"top1"', '"top5"', "data.evaluation.metric: 'top5' is not known (did you mean 'top1'?); allowed: top1"),
        (
            '"sort"',
            '"sorts"',
            "transforms.passes: 'sorts' is not known (did you mean 'sort'?); allowed: default, strip, sort",
        ),
        ('"sort"', '"sort(op=Add)"', "transforms.passes: sort has no parameter 'op'; it has none"),
        (
            '"sort"',
            '"remove_nodes(ops=Add)"',
            "transforms.passes: remove_nodes has no parameter 'ops' (did you mean 'op'?); allowed: op, max_inputs",
        ),
        (
            '"sort"',
            '"sort remove_nodes(op=Add"',
            "transforms.passes: remove_nodes(…: a closing parenthesis",
        ),
        ('["sort", "strip"]', "3", 'transforms.passes: 3 is neither "default" nor a list of transforms'),
        ('"android"', '"symbian"', "platform: input should be 'android', 'ios' or 'any' (it is 'symbian')"),
        ('name = "digits"', "", "name: missing; add it"),
        ('source = "../model/model.ckpt"', "", "model.source: missing; add it"),
        ('source = "calibration.npz",', "", "data.calibration.source: missing; add it"),
        ('name = "image"', "", "model.inputs[0].name: missing; add it"),
        (
            '"../model/model.ckpt"',
            '"a"\nbuilder = "build"',
            "model.builder: 'build' names no code; write \"module:name\"",
        ),
        (FULL, NO_ARTIFACTS, "artifacts: missing; add it"),
        (FULL, "artifacts = []\n" + NO_ARTIFACTS, TOO_FEW),
        ('name = "digits"', "name = 3", "name: input should be a valid string (it is 3)"),
        ('"../model/model.ckpt"', "3", "model.source: 3 is no path"),
        ("samples = 10", "samples = 0", "data.calibration.samples: input should be greater than or equal to 1 (it is"),
        ("samples = 10", "samples = 1.5", "data.calibration.samples: input should be a valid integer"),
        ("-1, 28", "0, 28", f"model.inputs[0].shape: {SIZE_RULE}"),
        ("-1, 28", "-2, 28", f"model.inputs[0].shape: {SIZE_RULE}"),
        ("drop = 0.01", 'drop = "some"', "artifacts[0].limits.accuracy_drop: input should be a valid number"),
        ("size = 100000", "size = 0", "artifacts[0].limits.size: input should be greater than 0 (it is 0)"),
        ('"image"', '"my image"', "model.inputs[0].name: 'my image' cannot be a name in Kotlin and Swift"),
        ("shape =", "preprocessing.std = 0\nshape =", "model.inputs[0].preprocessing.std: values are divided by it"),
        ("shape =", "preprocessing.std = [1, 0]\nshape =", "model.inputs[0].preprocessing.std: values are divided by"),
        ("shape =", 'preprocessing.mean = ["a"]\nshape =', "model.inputs[0].preprocessing.mean: ['a'] is neither a"),
        ("shape =", "preprocessing.mean = inf\nshape =", "model.inputs[0].preprocessing.mean: inf is neither a finite"),
        ("shape =", "preprocessing.mean = []\nshape =", "model.inputs[0].preprocessing.mean: [] is neither a finite"),
        ("shape =", f"preprocessing.mean = 1{'0' * 400}\nshape =", "model.inputs[0].preprocessing.mean: 1000"),
        ("shape =", f"preprocessing.scale = 1{'0' * 400}\nshape =", "model.inputs[0].preprocessing.scale: input"),
        ("shape =", "preprocessing.scale = 0\nshape =", "model.inputs[0].preprocessing.scale: input should be greater"),
        ("shape =", "preprocessing.scale = nan\nshape =", "model.inputs[0].preprocessing.scale: input should be"),
        ("shape =", "preprocessing.sdt = 1\nshape =", "model.inputs[0].preprocessing.sdt: unknown key (did you mean"),
        (
            "shape =",
            'preprocessing.channel_order = "gbr"\nshape =',
            "model.inputs[0].preprocessing.channel_order: input",
        ),
        (
            'format = "onnx"',
            'format = "onnx"\nallow_select_tf_ops = true',
            "artifacts[1].allow_select_tf_ops: only tflite has Select TF ops, not onnx; leave it out",
        ),
        (
            "platform =",
            'runs_on = ["toy:lage"]\nplatform =',
            "runs_on[0]: 'toy:lage' is not known (did you mean 'toy:l",
        ),
        (
            "platform =",
            'runs_on = ["toy:small", "toy:small"]\nplatform =',
            "runs_on: toy:small is named more than once;",
        ),
        ("platform =", 'runs_on = "toy:small"\nplatform =', "runs_on: write a list, in brackets (it is 'toy:small')"),
        (
            'format = "onnx"',
            'format = "onnx"\nruns_on = ["toy"]',
            "artifacts[1].runs_on[0]: 'toy' is a kind of devices;",
        ),
        ("[data]", '[data]\nruns_on = ["toy:small"]', "data.runs_on: unknown key; allowed here: calibration,"),
        ("[data]", "[device]\nsample = 9\n[data]", "device.sample: unknown key (did you mean 'samples'?)"),
        ("[data]", "[device]\nsamples = 0\n[data]", "device.samples: input should be greater than or equal to 1"),
        ('"digits_int8"', '"Digits"', f"artifacts[0].name: {NAME_RULE}"),
        ('"digits"', '"../up"', f"name: {NAME_RULE}"),
        ('"digits_float"', '"digits_int8"', "artifacts: names are unique; 'digits_int8' is used more than"),
    ],
)
def test_one_error_is_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    (line,) = complaints(tmp_path, replaced(old, new))
    assert line.startswith(said)


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    text = (
        FULL.replace('platform = "android"', "platfrom = 1")
        .replace('name = "image"\ntensor = "input:0"', 'name = "an image"')
        .replace("samples = 10", 'samples = "ten"')
        .replace('metric = "top1"', 'metric = "top2"')
        .replace('interface = "uint8"', 'interface = "int16"')
        .replace("size = 100000", "sizes = 1, cosine = 2")
    )
    keys = {line.partition(":")[0] for line in complaints(tmp_path, text)}
    assert keys >= {
        "platfrom",
        "model.inputs[0].name",
        "data.calibration.samples",
        "data.evaluation.metric",
        "artifacts[0].interface",
        "artifacts[0].limits.sizes",
        "artifacts[0].limits.cosine",
    }


def test_a_wrong_artifact_does_not_make_the_list_of_artifacts_empty(tmp_path: Path) -> None:
    lines = complaints(tmp_path, MINIMAL.replace("tflite", "tflit"))
    assert [line.partition(":")[0] for line in lines] == ["artifacts[0].format"]


def test_duplicate_names_are_reported_beside_other_errors(tmp_path: Path) -> None:
    twice = replaced('"digits_float"', '"digits_int8"').replace('"onnx"', '"onyx"')
    assert any("is used more than once" in line for line in complaints(tmp_path, twice))


def test_a_quoted_key_is_named(tmp_path: Path) -> None:
    assert any("plat form" in line for line in complaints(tmp_path, replaced("platform =", '"plat form" =')))


def test_a_constant_of_a_wrong_type_is_one_error_at_its_key(tmp_path: Path) -> None:
    (line,) = complaints(tmp_path, replaced("value = false", 'value = "no"'))
    assert line.startswith("model.constants[0].value: ")


@pytest.mark.parametrize(
    ("old", "new"), [("samples = 10", "samples = true"), ("samples = 10", 'samples = "10"'), ("= 0.01", "= true")]
)
def test_numbers_are_numbers(tmp_path: Path, old: str, new: str) -> None:
    assert "input should be a valid" in complaints(tmp_path, replaced(old, new))[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name = \n", r"digits\.toml: not valid TOML: .*line 1"),
        (b'name = "a"\nname = "b"\n', r"digits\.toml: not valid TOML: .*line 2"),
        (b'name = "\xff"', r"digits\.toml: not valid TOML: .*utf-8"),
        (None, r"digits\.toml: cannot be read: No such file"),
    ],
)
def test_unreadable_files(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "digits.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TargetError, match=said) as caught:
        load_target(path, CHOICES)
    assert str(caught.value).startswith(str(path))


def test_a_folder_is_no_target_file(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=rf"{re.escape(str(tmp_path))}: cannot be read"):
        load_target(tmp_path, CHOICES)


def test_every_key_of_the_schema_is_described() -> None:
    schema = json_schema(CHOICES)

    def described(field: dict) -> bool:
        """By itself, or by the table that it holds."""
        inside = [field, field.get("items", {}), *field.get("anyOf", ())]
        tables = [schema["$defs"][f["$ref"].removeprefix("#/$defs/")] for f in inside if "$ref" in f]
        return any(part.get("description") for part in (field, *tables))

    fields = {
        f"{name}.{key}": field
        for name, model in {"Target": schema, **schema["$defs"]}.items()
        for key, field in model["properties"].items()
    }
    assert len(fields) > 40
    assert [key for key, field in fields.items() if not described(field)] == []


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("runs_on", '["toy:small"]', "; runs_on stands at the top, before the tables"),
        ("platform", '"ios"', "; platform stands at the top, before the tables"),
        ("device", "{ samples = 9 }", "; [device] is a table of its own"),
        ("nothing", "1", "; allowed here: calibration, evaluation, accept"),
    ],
)
def test_a_key_of_the_top_in_a_table_is_told_its_place(tmp_path: Path, key: str, value: str, said: str) -> None:
    with pytest.raises(TargetError) as caught:
        load(tmp_path, replaced("[data]", f"[data]\n{key} = {value}"))
    assert str(caught.value).endswith(said)


def test_schema_names_the_units() -> None:
    definitions = json_schema(CHOICES)["$defs"]
    assert definitions["Artifact"]["properties"]["format"]["enum"] == ["tflite", "onnx"]
    assert definitions["Artifact"]["properties"]["precision"]["enum"] == ["float32", "int8"]
    assert definitions["Evaluation"]["properties"]["metric"]["examples"] == ["top1", "top_k"]


def test_schema_names_the_devices() -> None:
    schema = json_schema(CHOICES)
    devices = {"items": {"type": "string", "enum": ["toy:small", "toy:large"]}, "type": "array", "uniqueItems": True}
    target, artifact = schema["properties"]["runs_on"], schema["$defs"]["Artifact"]["properties"]["runs_on"]
    assert {key: target[key] for key in devices} == devices
    assert artifact["anyOf"] == [devices, {"type": "null"}]


def test_devices_by_name(tmp_path: Path) -> None:
    asked = replaced("platform =", 'runs_on = ["toy:large", "toy:small"]\nplatform =')
    target = load(tmp_path, asked.replace('format = "onnx"', 'format = "onnx"\nruns_on = []'))
    assert target.runs_on == ("toy:large", "toy:small")
    assert [artifact.runs_on for artifact in target.artifacts] == [None, ()]
    assert (target.device.samples, target.device.seed, target.device.skip) == (32, 0, False)


@pytest.mark.parametrize(
    ("passes", "loaded"),
    [
        (
            '["remove_nodes(op=Identity, op=CheckNumerics)", "sort"]',
            ("remove_nodes(op=Identity, op=CheckNumerics)", "sort"),
        ),
        ('"""\n  strip\n  remove_nodes(op=Identity)\n"""', ("  strip\n  remove_nodes(op=Identity)\n",)),
        ('"default"', ("default",)),
    ],
)
def test_passes_in_the_syntax_of_the_graph_transform_tool(tmp_path: Path, passes: str, loaded: object) -> None:
    path = tmp_path / "digits.toml"
    path.write_text(FULL.replace('["sort", "strip"]', passes))
    assert load_target(path, CHOICES).transforms.passes.written == loaded


def test_files_that_passes_name_count_from_the_target_file(tmp_path: Path) -> None:
    path = tmp_path / "digits.toml"
    path.write_text(FULL.replace('["sort", "strip"]', """'sort freeze(log="logs/a b") freeze freeze(log="")'"""))
    passes = load_target(path, CHOICES).transforms.passes
    absolute = tmp_path / "logs/a b"
    assert passes.calls[1:] == (
        Call("freeze", {"log": (str(absolute),)}),
        Call("freeze"),
        Call("freeze", {"log": ("",)}),
    )
    assert passes.files == {"log of freeze, transform 2": absolute}
