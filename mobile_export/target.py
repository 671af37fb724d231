"""The target file: what to build from which model, and what each file must keep to.

One frozen model; the JSON schema and the errors derive from it. Paths are relative to the target file, and absolute
after loading.
"""

import difflib
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails

from mobile_export.errors import TargetError
from mobile_export.spelling import FileStem, Identifier, PackageName, TypeName
from mobile_export.transform_string import Call, parse_calls

_CODE = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")

AUTO = "auto"
"""The precision that is searched for."""

RUN_BY_KERNELS = ("graphdef", "memmapped")
"""Formats that TensorFlow itself runs on a phone, with what kernels its build there has."""


@dataclass(frozen=True)
class Choices:
    """The units that a target may name: what the package's registries hold.

    Attributes:
        formats: each format's precisions, and each precision's interfaces, the default first.
        metrics: each metric's parameters.
        data_checks: names of checks of the data.
        schemes: of each format whose layers may differ: what `layers`, `ranges` and `weights` may say.
        transforms: each transform's parameters.
        transform_files: those of them that name files.
        runtimes: files that list the kernels of a phone's TensorFlow, by their names.
    """

    formats: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    metrics: Mapping[str, Sequence[str]] = field(default_factory=dict)
    data_checks: Sequence[str] = ()
    schemes: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    transforms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    transform_files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    runtimes: Mapping[str, Path] = field(default_factory=dict)


def _absolute(value: Any, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path):
        raise ValueError(f"{value!r} is no path; write it in quotes")
    folder = (info.context or {}).get("folder", Path())
    return Path(folder) / value


def _runtime(value: Any, info: ValidationInfo) -> Path:
    known = _choices(info).runtimes
    return known[value] if isinstance(value, str) and value in known else _absolute(value, info)


File = Annotated[Path, BeforeValidator(_absolute)]
Runtime = Annotated[Path, BeforeValidator(_runtime)]


def _number_or_bool(value: Any) -> bool | int | float:
    if not isinstance(value, bool | int | float):
        raise ValueError(f"{value!r} is neither a number nor true or false")
    return value


@dataclass(frozen=True)
class PassList:
    """Transforms in their order.

    Attributes:
        written: as they stand in the target file.
        calls: what that says; files are absolute.
        files: those that the calls name, by what they are to them.
    """

    written: tuple[str, ...]
    calls: tuple[Call, ...]
    files: Mapping[str, Path]


def _passes(value: Any, info: ValidationInfo) -> PassList:
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, tuple) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f'{value!r} is neither "default" nor a list of transforms')
    known, named = _choices(info).transforms, _choices(info).transform_files
    calls: list[Call] = []
    files: dict[str, Path] = {}
    for call in (call for text in texts for call in _calls(text)):
        _one_of(call.name, list(known))
        unknown = [name for name in call.values if known and name not in known[call.name]]
        if unknown:
            allowed = known[call.name]
            has = f"allowed: {', '.join(allowed)}" if allowed else "it has none"
            raise ValueError(f"{call.name} has no parameter {unknown[0]!r}{_nearest(unknown[0], allowed)}; {has}")
        paths = {name: _absolute(call.values[name][0], info) for name in named.get(call.name, ()) if call.given(name)}
        calls.append(replace(call, values=call.values | {name: (str(path),) for name, path in paths.items()}))
        files |= {f"{name} of {call.name}, transform {len(calls)}": path for name, path in paths.items()}
    return PassList(texts, tuple(calls), files)


def _calls(text: str) -> tuple[Call, ...]:
    try:
        return parse_calls(text)
    except TargetError as error:
        raise ValueError(str(error)) from error


def _per_channel(value: Any) -> tuple[float, ...]:
    """One number, or one a channel, as a tuple."""
    numbers = list(value) if isinstance(value, tuple) else [value]
    if not numbers or not all(type(n) in (int, float) and abs(n) <= sys.float_info.max for n in numbers):
        given = numbers if isinstance(value, tuple) else value
        raise ValueError(f"{given!r} is neither a finite number nor a list of them, one a channel")
    return tuple(map(float, numbers))


# Plain validators: the errors of a union would name its branches, as if they were keys of the file.
ConstantValue = Annotated[
    bool | int | float, PlainValidator(_number_or_bool, json_schema_input_type=bool | int | float)
]
Passes = Annotated[
    PassList,
    PlainValidator(_passes, json_schema_input_type=Literal["default"] | tuple[str, ...]),
    PlainSerializer(lambda passes: passes.written, return_type=tuple[str, ...]),
]

PerChannel = Annotated[
    tuple[float, ...], BeforeValidator(_per_channel, json_schema_input_type=float | tuple[float, ...])
]


@dataclass(frozen=True)
class UserCode:
    """A Python object of the user's, written `module:name`.

    Attributes:
        folder: the target file's, where the module is looked for first; installed packages come after.
        module, name: of the object.
    """

    folder: Path
    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


def _user_code(value: Any, info: ValidationInfo) -> UserCode:
    found = _CODE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'{value!r} names no code; write "module:name", for example "my_model:build"')
    return UserCode(Path((info.context or {}).get("folder", Path())), found[1], found[2])


Code = Annotated[
    UserCode,
    PlainValidator(_user_code, json_schema_input_type=str),
    PlainSerializer(lambda code: f"{code.module}:{code.name}", return_type=str),
]


def _data_source(value: Any, info: ValidationInfo) -> Path | UserCode:
    return _user_code(value, info) if isinstance(value, str) and _CODE.fullmatch(value) else _absolute(value, info)


DataFile = Annotated[
    Path | UserCode,
    PlainValidator(_data_source, json_schema_input_type=str),
    PlainSerializer(
        lambda source: f"{source.module}:{source.name}" if isinstance(source, UserCode) else str(source),
        when_used="json",
    ),
]


@dataclass(frozen=True)
class MetricChoice:
    """A metric, by its name or as the user's own code, with its parameters."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    code: UserCode | None = None


def _metric(value: Any, info: ValidationInfo) -> MetricChoice:
    parameters = dict(value) if isinstance(value, Mapping) else {}
    name = parameters.pop("name", None) if isinstance(value, Mapping) else value
    if not isinstance(name, str):
        raise ValueError(f'{value!r} names no metric; write "top1", or {{ name = "top_k", k = 5 }}')
    if _CODE.fullmatch(name):
        return MetricChoice(name, parameters, _user_code(name, info))
    known = _choices(info).metrics
    _one_of(name, list(known))
    unknown = [key for key in parameters if known and key not in known[name]]
    if unknown:
        allowed = f"allowed: {', '.join(known[name])}" if known[name] else "it has none"
        raise ValueError(f"{name} has no parameter {unknown[0]!r}{_nearest(unknown[0], known[name])}; {allowed}")
    return MetricChoice(name, parameters)


MetricName = Annotated[
    MetricChoice,
    PlainValidator(_metric, json_schema_input_type=str | dict[str, Any]),
    PlainSerializer(lambda metric: {"name": metric.name, **metric.parameters}, return_type=dict[str, Any]),
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Preprocessing(_Strict):
    """How raw values become what the model takes: (raw * scale - mean) / std."""

    scale: float = Field(1.0, gt=0, allow_inf_nan=False, description="Factor of raw values, such as 0.00392156862.")
    mean: PerChannel = Field(
        (0.0,), description="Taken off the scaled values: one, or one a channel of the last axis, in the model's order."
    )
    std: PerChannel = Field((1.0,), description="Divided by then; written as mean is.")
    channel_order: Literal["rgb", "bgr"] = Field(
        "rgb", description="What the model was trained on; raw values are RGB, and are reversed first for bgr."
    )
    fold: bool = Field(False, description="Whether the files do it themselves, so that the app feeds raw values.")

    @field_validator("std")
    @classmethod
    def _check_std(cls, std: tuple[float, ...]) -> tuple[float, ...]:
        if min(std) <= 0:
            raise ValueError("values are divided by it, so it is above 0")
        return std


class Input(_Strict):
    """A public input of the model."""

    name: Identifier = Field(description="Public name, the same in every artifact and in the generated code.")
    tensor: str | None = Field(
        None, description="The graph's tensor, `node:port`. Default: what the model's own signature calls by this name."
    )
    shape: tuple[int, ...] | None = Field(
        None, description="Sizes; -1 keeps a dimension dynamic where the format can. Default: the graph's own."
    )
    preprocessing: Preprocessing | None = Field(
        None, description="What training did to raw values. With it, data holds raw values, of any type of number."
    )

    @field_validator("shape")
    @classmethod
    def _check_shape(cls, shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if shape is not None and any(size == 0 or size < -1 for size in shape):
            raise ValueError("sizes are positive, or -1 for a dynamic dimension")
        return shape


class Output(_Strict):
    """A public output of the model."""

    name: Identifier = Field(description="Public name.")
    tensor: str | None = Field(
        None, description="The graph's tensor, `node:port`. Default: what the model's own signature calls by this name."
    )
    labels: File | None = Field(None, description="Text file with one class name a line.")


class Constant(_Strict):
    """A tensor that gets a fixed value, such as a training switch."""

    tensor: str = Field(description="The graph's tensor, `node:port`; a placeholder, usually.")
    value: ConstantValue = Field(description="The value it always has.")


class Model(_Strict):
    """The trained model."""

    source: File = Field(description="Checkpoint prefix, file or folder; the form is detected.")
    checkpoint: File | None = Field(None, description="Checkpoint with the weights of a GraphDef that has none.")
    moving_average: bool = Field(
        False, description="Whether weights are replaced by their exponential moving averages, as many are evaluated."
    )
    tags: tuple[str, ...] | None = Field(
        None, description='Tag set of the graph in a SavedModel. Default: ["serve"], or the only one.'
    )
    signature: str | None = Field(
        None, description='Signature of a SavedModel. Default: "serving_default", or the only one.'
    )
    version: str | None = Field(
        None, description="Of the model, for the app and its users. Default: 12 digits of the hash of its files."
    )
    trusted: bool = Field(
        False, description="Whether code that a Keras file carries (Lambda layers) may run. It can do anything you can."
    )
    custom_objects: Code | None = Field(
        None, description='Custom layers and functions of a Keras file: "module:dict", from the target\'s folder.'
    )
    builder: Code | None = Field(
        None, description='Makes the model of a file that holds weights alone: "module:function", no arguments.'
    )
    inputs: tuple[Input, ...] = Field((), description="Default: inferred from the graph.")
    outputs: tuple[Output, ...] = Field((), description="Default: inferred from the graph.")
    constants: tuple[Constant, ...] = Field((), description="Switches that are fixed before anything else happens.")

    @property
    def preprocessing(self) -> dict[str, Preprocessing]:
        """By public input name, where there is any."""
        return {spec.name: spec.preprocessing for spec in self.inputs if spec.preprocessing is not None}

    @property
    def labels(self) -> dict[str, Path]:
        """Files of class names by public output name, where there are any."""
        return {spec.name: spec.labels for spec in self.outputs if spec.labels is not None}


class Images(_Strict):
    """How image files become arrays of the input's shape: decoded, resized, cropped, in a declared colour order."""

    resize: Literal["crop", "stretch", "pad"] = Field(
        "crop",
        description="To the input's size: the shorter side fits and the middle is cut out, or both sides are "
        "stretched, or the longer side fits and the rest is black.",
    )
    shorter_side: int | None = Field(
        None,
        ge=1,
        description="With crop: pixels of the shorter side before cutting, such as 256 for 224. Default: fits.",
    )
    interpolation: Literal["nearest", "bilinear", "bicubic", "area"] = Field(
        "bilinear", description="How it is resized."
    )
    colours: Literal["rgb", "bgr", "gray"] | None = Field(
        None, description="Order of the channels. Default: gray for inputs of one channel, otherwise rgb."
    )
    labels: File | None = Field(
        None,
        description="CSV of file names and labels. Default: the label is the number of the image's folder, by name.",
    )


class DataSource(_Strict):
    """Where samples come from."""

    source: DataFile = Field(
        description="A file or a folder, whose form is detected, or the user's own generator, `module:function`."
    )
    samples: int | None = Field(None, ge=1, description="How many are used, drawn with the seed; default: all.")
    seed: int = Field(0, ge=0, description="Seed of the draw.")
    images: Images = Field(Images(), description="Of a folder of images: how they are read.")


class Calibration(DataSource):
    """Representative inputs, from which value ranges are measured."""

    samples: int | None = Field(200, ge=1, description="How many are used, drawn with the seed.")


class Evaluation(DataSource):
    """Labelled inputs, on which every artifact is judged."""

    metric: MetricName = Field(
        MetricChoice("top1"), description="How answers are scored: a name, or a table with its parameters."
    )
    labels: str = Field("label", description="Name of the array or column with the true answers.")
    output: str | None = Field(None, description="The public output that is scored; default: the first.")
    expected: float | None = Field(
        None, description="What the model scored when it was trained; a reference far below it stops the build."
    )


class Data(_Strict):
    """Data for calibration and evaluation."""

    calibration: Calibration | None = None
    evaluation: Evaluation | None = None
    accept: tuple[str, ...] = Field(
        (), description="Checks of the data whose findings are known and accepted, by the names that they print."
    )

    @field_validator("accept")
    @classmethod
    def _check_accept(cls, accepted: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return tuple(_one_of(name, _choices(info).data_checks) for name in accepted)


class Transforms(_Strict):
    """The rewrites applied to the graph."""

    passes: Passes = Field(
        "default",
        validate_default=True,
        description="Transforms in their order, in the syntax of the Graph Transform Tool; `default` may be one. Files "
        "that they name count from the target file's folder.",
    )


class Limits(_Strict):
    """What a file must keep to; a missed limit stops the whole target. Unset: the check's default, if it has one."""

    accuracy: float | None = Field(
        None, description="Least score on the evaluation set; the most, of a metric that measures errors."
    )
    accuracy_drop: float | None = Field(None, description="Most that the score may be worse than the reference's.")
    confidence: float | None = Field(
        None, gt=0.5, lt=1, description="Least confidence that accuracy_drop holds, one-sided, such as 0.95."
    )
    latency_ratio: float | None = Field(
        None, gt=0, description="Most time of an answer here, as a fraction of the float32 file's of the same format."
    )
    size: int | None = Field(None, gt=0, description="Most bytes of the file.")
    zipped_size: int | None = Field(
        None, gt=0, description="Most bytes of the file after deflate, as in a store download."
    )
    size_ratio: float | None = Field(None, gt=0, description="Most bytes, as a fraction of the frozen float32 graph.")
    max_abs: float | None = Field(None, ge=0, description="Largest |file - reference| over all outputs.")
    max_rel: float | None = Field(None, ge=0, description="The same, over the output's largest magnitude.")
    cosine: float | None = Field(None, ge=-1, le=1, description="Least cosine similarity, over samples.")
    sqnr: float | None = Field(None, description="Least signal to noise, in dB, of the outputs' spread over samples.")
    rank_agreement: float | None = Field(None, ge=-1, le=1, description="Least rank correlation over samples.")
    top1_agreement: float | None = Field(
        None, ge=0, le=1, description="Least share of samples with the same top class."
    )
    device_difference: float | None = Field(
        None,
        ge=0,
        description="Where it runs on a device: largest |there - here|, over the output's largest magnitude.",
    )


class Search(_Strict):
    """Bounds of the search that precision = "auto" asks for."""

    seconds: float = Field(300.0, gt=0, description="No candidate is begun after that time.")
    candidates: int = Field(64, ge=1, description="Most files that are tried.")


class Artifact(_Strict):
    """One file to ship."""

    name: FileStem = Field(description="File name without its ending: lower case, digits, underscores.")
    format: str = Field(description="Kind of file.")
    precision: str = Field("float32", description="Number format of weights and arithmetic.")
    interface: str | None = Field(
        None, description="Element type at the file's inputs and outputs, as the precision allows."
    )
    layers: Mapping[str, str] = Field(
        {}, description="Layers that have a precision of their own, by the names that `explain` shows."
    )
    per_channel: bool = Field(True, description="Whether quantized weights have a scale for each output channel.")
    ranges: str | None = Field(None, description="How activations' ranges are taken from calibration; default: minmax.")
    weights: str | None = Field(None, description="How weights' ranges are chosen; default: minmax.")
    compute: Literal["any", "integer"] = Field(
        "any",
        description="With auto: integer leaves out what stores integers and computes in float (weight-only, dynamic).",
    )
    search: Search = Search()
    limits: Limits = Limits()
    runs_on: tuple[str, ...] | None = Field(
        None, description="Devices on which it must answer right, too. Default: those of the target that can run it."
    )
    allow_float_operators: bool | None = Field(
        None, description="Whether an integer file may compute in float inside. Default: with auto yes, otherwise no."
    )
    allow_select_tf_ops: bool = Field(
        False,
        description="Whether a tflite file may use TensorFlow's own operators where TensorFlow Lite has none. The app "
        "then needs the Flex library, and the file cannot be run here.",
    )
    allow_unchecked: bool = Field(
        False, description="Whether the file is published, marked, even though nothing here can run it."
    )
    kernels: Runtime | None = Field(
        None,
        description="The phone's TensorFlow, which must have every kernel of a graphdef or memmapped file: the name of "
        "a list, such as tensorflow-android-1.13.1, or a file: a list, or the ops_to_register.h of its build.",
    )

    @field_validator("format")
    @classmethod
    def _check_format(cls, name: str, info: ValidationInfo) -> str:
        return _one_of(name, list(_choices(info).formats))

    @field_validator("precision")
    @classmethod
    def _check_precision(cls, precision: str, info: ValidationInfo) -> str:
        return _one_of(precision, list(_precisions(info)))

    @field_validator("interface")
    @classmethod
    def _check_interface(cls, interface: str | None, info: ValidationInfo) -> str | None:
        allowed = _precisions(info).get(info.data.get("precision", ""), ())
        return interface if interface is None else _one_of(interface, allowed)

    @field_validator("layers")
    @classmethod
    def _check_layers(cls, layers: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        for precision in layers.values():
            _of_scheme("layers", precision, info)
        return layers

    @field_validator("ranges", "weights")
    @classmethod
    def _check_scheme(cls, choice: str | None, info: ValidationInfo) -> str | None:
        return choice if choice is None else _of_scheme(str(info.field_name), choice, info)

    @field_validator("allow_select_tf_ops")
    @classmethod
    def _check_select_tf_ops(cls, allowed: bool, info: ValidationInfo) -> bool:
        if allowed and info.data.get("format", "tflite") != "tflite":
            raise ValueError(f"only tflite has Select TF ops, not {info.data['format']}; leave it out")
        return allowed

    @field_validator("kernels")
    @classmethod
    def _check_kernels(cls, kernels: Path | None, info: ValidationInfo) -> Path | None:
        if kernels is not None and info.data.get("format", "graphdef") not in RUN_BY_KERNELS:
            raise ValueError(f"TensorFlow's kernels do not run {info.data['format']}; leave it out")
        return kernels


class App(_Strict):
    """The class that is generated for the app's code, one for all files of the target."""

    class_name: TypeName | None = Field(None, description="Its name. Default: the target's, in camel case.")
    kotlin_package: PackageName | None = Field(
        None, description='Package of the Kotlin class, such as "com.example.digits". Without it, no Kotlin is written.'
    )
    swift_module: TypeName | None = Field(
        None, description='Module of the Swift class, such as "DigitsModel". Without it, no Swift is written.'
    )
    litert: tuple[Literal["compiled_model", "interpreter"], ...] = Field(
        ("compiled_model", "interpreter"),
        description="Which of LiteRT's classes the Android app links, the one that runs .tflite files first.",
        json_schema_extra={"minItems": 1, "uniqueItems": True},
    )

    @field_validator("litert")
    @classmethod
    def _check_litert(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if not classes or len(set(classes)) < len(classes):
            raise ValueError("name compiled_model, interpreter, or both")
        return classes


class Device(_Strict):
    """How files are run on the devices of runs_on."""

    samples: int = Field(
        32, ge=1, description="How many of the samples on which answers are compared are run on each device."
    )
    seed: int = Field(0, ge=0, description="Seed of their draw.")
    skip: bool = Field(
        False, description="Whether nothing is run on devices; the manifest is marked. As --skip-device says."
    )


class Target(_Strict):
    """A target file."""

    name: FileStem = Field(description="Name of the published folder.")
    platform: Literal["android", "ios", "any"] = Field("any", description="Where the app runs.")
    runs_on: tuple[str, ...] = Field(
        (), description='Devices on which files must answer right, such as "arm64:cortex-a53".'
    )
    model: Model
    data: Data = Data()
    device: Device = Device()
    transforms: Transforms = Field(default_factory=Transforms)
    app: App | None = Field(None, description="Asks for a class that the app's code calls the model through.")
    artifacts: tuple[Artifact, ...] = Field(
        description="The files to build, at least one.", json_schema_extra={"minItems": 1}
    )


def load_target(path: Path, choices: Choices) -> Target:
    """Read and validate a target file.

    Raises:
        TargetError: the file is missing or wrong; lists everything that is wrong, one line each.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TargetError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TargetError(f"{path}: not valid TOML: {error}") from error
    wrong = _wrong_artifacts(table)
    target = None
    try:
        context = {"folder": path.resolve().parent, "choices": choices}
        target = Target.model_validate(_with_tuples(table), context=context)
    except ValidationError as error:
        wrong = [_explain(detail) for detail in error.errors(include_url=False)] + wrong
    if target is None or wrong:
        raise TargetError("\n".join(f"{path}: {problem}" for problem in wrong))
    return target


def _with_tuples(value: Any) -> Any:
    """TOML's arrays as tuples, which is what strict validation takes for one."""
    if isinstance(value, dict):
        return {key: _with_tuples(entry) for key, entry in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def _wrong_artifacts(table: Mapping[str, Any]) -> list[str]:
    """What is wrong with the artifacts as a list; looked up in the file itself, whatever else is wrong in it."""
    artifacts = table.get("artifacts")
    if artifacts == []:
        return ["artifacts: name at least one"]
    names = [a.get("name") for a in artifacts if isinstance(a, dict)] if isinstance(artifacts, list) else []
    twice = sorted({repr(name) for name in names if name is not None and names.count(name) > 1})
    return [f"artifacts: names are unique; {', '.join(twice)} is used more than once"] if twice else []


def json_schema(choices: Choices) -> dict[str, Any]:
    """The JSON schema of a target file, with the names of the units that exist."""
    schema = Target.model_json_schema()
    definitions = schema["$defs"]
    precisions = {p: list(i) for kinds in choices.formats.values() for p, i in kinds.items()}
    definitions["Artifact"]["properties"]["format"]["enum"] = list(choices.formats)
    definitions["Artifact"]["properties"]["precision"]["enum"] = list(precisions)
    definitions["Evaluation"]["properties"]["metric"]["examples"] = list(choices.metrics)
    return schema


def _explain(detail: ErrorDetails) -> str:
    key = _key(detail["loc"])
    if detail["type"] == "extra_forbidden":
        allowed = _fields_at(detail["loc"][:-1])
        return f"{key}: unknown key{_nearest(str(detail['loc'][-1]), allowed)}; allowed here: {', '.join(allowed)}"
    if detail["type"] == "missing":
        return f"{key}: missing; add it"
    if detail["type"] == "value_error":
        return f"{key}: {detail['msg'].removeprefix('Value error, ')}"
    if detail["type"] == "tuple_type":
        return f"{key}: write a list, in brackets (it is {detail['input']!r})"
    return f"{key}: {detail['msg'][0].lower()}{detail['msg'][1:]} (it is {detail['input']!r})"


def _key(location: Sequence[int | str]) -> str:
    key = ""
    for part in location:
        if isinstance(part, int):
            key += f"[{part}]"
        elif part != "[key]":  # pydantic's mark for a wrong key in a table
            name = part if re.fullmatch(r"[\w-]+", part) else f'"{part}"'
            key += f".{name}" if key else name
    return key or "target"


def _fields_at(location: Sequence[int | str]) -> list[str]:
    model: Any = Target
    for part in location:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    return list(model.model_fields)


def _model_in(annotation: Any) -> Any:
    """The model inside an annotation such as `tuple[Artifact, ...]` or `Calibration | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(found for argument in annotation.__args__ if (found := _model_in_or_none(argument)))


def _model_in_or_none(annotation: Any) -> Any:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _choices(info: ValidationInfo) -> Choices:
    choices = (info.context or {}).get("choices")
    return choices if isinstance(choices, Choices) else Choices()


def _precisions(info: ValidationInfo) -> Mapping[str, Sequence[str]]:
    return _choices(info).formats.get(info.data.get("format", ""), {})


def _of_scheme(key: str, value: str, info: ValidationInfo) -> str:
    name = info.data.get("format", "")
    known = _choices(info).schemes
    if known and name not in known:
        raise ValueError(f"layers of {name} have no precisions of their own; leave it out")
    return _one_of(value, known.get(name, {}).get(key, ()))


def _one_of(value: str, allowed: Sequence[str]) -> str:
    if allowed and value not in allowed:
        raise ValueError(f"{value!r} is not known{_nearest(value, allowed)}; allowed: {', '.join(allowed)}")
    return value


def _nearest(value: str, allowed: Sequence[str]) -> str:
    near = difflib.get_close_matches(value, allowed, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
