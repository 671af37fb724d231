"""The tables of a target file: one frozen model, from which the JSON schema and the errors derive."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from mobile_export.spelling import FileStem, Identifier, PackageName, TypeName
from mobile_export.target.choices import choices_of, one_of
from mobile_export.target.values import (
    Code,
    ConstantValue,
    DataFile,
    DeviceNames,
    File,
    MetricChoice,
    MetricName,
    Passes,
    PerChannel,
    Runtime,
)

AUTO = "auto"
"""The precision that is searched for."""

RUN_BY_KERNELS = ("graphdef", "memmapped")
"""Formats that TensorFlow itself runs on a phone, with what kernels its build there has."""


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
        return tuple(one_of(name, choices_of(info).data_checks) for name in accepted)


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
    runs_on: DeviceNames | None = Field(
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
        return one_of(name, list(choices_of(info).formats))

    @field_validator("precision")
    @classmethod
    def _check_precision(cls, precision: str, info: ValidationInfo) -> str:
        return one_of(precision, list(_precisions(info)))

    @field_validator("interface")
    @classmethod
    def _check_interface(cls, interface: str | None, info: ValidationInfo) -> str | None:
        allowed = _precisions(info).get(info.data.get("precision", ""), ())
        return interface if interface is None else one_of(interface, allowed)

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


class DeviceSettings(_Strict):
    """How files are run on the devices of runs_on."""

    samples: int = Field(
        32,
        ge=1,
        description="How many samples are run on each device: half of them by the seed, half those of which the "
        "reference is least sure, of all evaluation samples, or of those on which answers are compared.",
    )
    seed: int = Field(0, ge=0, description="Seed of their draw.")
    skip: bool = Field(
        False, description="Whether nothing is run on devices; the manifest is marked. As --skip-device says."
    )


class Target(_Strict):
    """A target file."""

    name: FileStem = Field(description="Name of the published folder.")
    platform: Literal["android", "ios", "any"] = Field("any", description="Where the app runs.")
    runs_on: DeviceNames = Field(
        (), description='Devices on which files must answer right, such as "arm64:cortex-a53".'
    )
    model: Model
    data: Data = Data()
    device: DeviceSettings = DeviceSettings()
    transforms: Transforms = Field(default_factory=Transforms)
    app: App | None = Field(None, description="Asks for a class that the app's code calls the model through.")
    artifacts: tuple[Artifact, ...] = Field(
        description="The files to build, at least one.", json_schema_extra={"minItems": 1}
    )


def _precisions(info: ValidationInfo) -> Mapping[str, Sequence[str]]:
    return choices_of(info).formats.get(info.data.get("format", ""), {})


def _of_scheme(key: str, value: str, info: ValidationInfo) -> str:
    name = info.data.get("format", "")
    known = choices_of(info).schemes
    if known and name not in known:
        raise ValueError(f"layers of {name} have no precisions of their own; leave it out")
    return one_of(value, known.get(name, {}).get(key, ()))
