"""`manifest.json`: exactly what lies in a published folder, for every tool that comes after.

It never enters the app.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
)

from mobile_export.errors import ModelError
from mobile_export.spelling import FileStem, Identifier, PackageName, TypeName

FILE_NAME = "manifest.json"
GOLDEN = "golden.npz"
"""Inputs, and what each file answered to them; beside the manifest, and never in the app either."""
REQUIRED_OPERATORS = "required_operators.config"
"""What the .ort files need of ONNX Runtime, as its build takes it with --include_ops_by_config."""
KINDS = ("assets", "kotlin", "swift", "test_assets")
"""What a published file is to the app: the first part of its path."""
SCHEMA_VERSION = 1
_PATH = re.compile(r"[A-Za-z0-9_./-]+")

# JSON has no NaN or infinity, and a failed measurement may be one.
Number = Annotated[
    float,
    BeforeValidator(lambda value: float(value) if isinstance(value, str) else value),
    PlainSerializer(lambda value: value if abs(value) < float("inf") else str(value), when_used="json"),
]


def _below(folders: Sequence[str], file: str) -> str:
    """The path of a published file, which has to lie in one of these folders of the published one."""
    path = PurePosixPath(file)
    if not _PATH.fullmatch(file):
        raise ValueError(f"{file!r} has characters that no published file has in its name")
    if path.is_absolute() or ".." in path.parts or path.parts[:1] not in [(name,) for name in folders]:
        raise ValueError(f"{file!r} lies outside of {' and '.join(folders)}")
    return file


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rare: ClassVar[tuple[str, ...]] = ()
    """Fields that are written only where they hold something."""

    @model_serializer(mode="wrap")
    def _without_empty(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        return {key: value for key, value in written.items() if value or key not in self.rare}


class EdgeEntry(_Entry):
    """An input or output of a file; scale and zero point where its integers stand for real values."""

    name: Identifier
    dtype: str
    shape: tuple[int, ...] | None
    scale: float | None = None
    zero_point: int | None = None


class CheckEntry(_Entry):
    """One measured value against its limit."""

    rare = ("interval", "unit")

    check: str
    name: str
    value: Number
    limit: Number | None
    at_least: bool = Field(description="Whether the limit is the least or the most that the value may be.")
    passed: bool
    interval: tuple[Number, Number] | None = Field(
        None, description="Within which the value lies with 95 % confidence, as far as the samples can tell."
    )
    unit: str = Field("", description="bytes, dB or share, which is shown in percent: of value, limit and interval.")
    note: str = ""


class OperatorEntry(_Entry):
    """An operator of a file that computes something else on a device than here, of the same values."""

    name: str = Field(description="Of the tensor that it writes.")
    operator: str = Field(description="Its kind, as the format calls it.")
    difference: Number = Field(description="Largest difference of its values, over the largest magnitude here.")
    share: Number = Field(description="Of its values that differ.")
    reason: str = Field("", description="Why, as far as it is known.")


class DeviceEntry(_Entry):
    """What one file answered on one device, on a part of the samples."""

    rare = ("operators", "skipped")

    device: str = Field(description='As runs_on has it, such as "arm64:cortex-a53".')
    runtime: str = Field("", description="What ran the file there, and where: runtime, emulator, their versions.")
    samples: int = Field(0, description="How many were run there, drawn with the seed.")
    checks: tuple[CheckEntry, ...] = ()
    operators: tuple[OperatorEntry, ...] = Field(
        (), description="Those at fault where answers differ by more than is allowed, the worst first."
    )
    skipped: str = Field("", description="Why nothing was run there, where nothing was.")

    @property
    def passed(self) -> bool:
        """Whether it keeps to every limit there, as far as it was run."""
        return all(check.passed for check in self.checks)

    def check(self, name: str) -> CheckEntry | None:
        """What was measured under that name."""
        return next((check for check in self.checks if check.name == name), None)


class SchemeEntry(_Entry):
    """How a file's numbers are stored and computed."""

    rare = ("layers",)

    precision: str = Field(description="Of every layer that is not named.")
    layers: dict[str, str] = Field({}, description="Precisions of layers that have one of their own.")
    per_channel: bool = Field(True, description="Whether quantized weights have a scale for each output channel.")
    ranges: str = Field("minmax", description="How activations' ranges were taken from calibration.")
    weights: str = Field("minmax", description="How weights' ranges were chosen.")


class ReadingEntry(_Entry):
    """One number that a search has measured, against its limit."""

    rare = ("unit",)

    name: str
    value: Number
    limit: Number | None
    passed: bool
    unit: str = ""


class TrialEntry(_Entry):
    """One file that a search tried."""

    rare = ("readings", "note")

    why: str = Field(description="The step of the search that asked for it.")
    scheme: SchemeEntry
    probe: bool = Field(description="Whether it was made to see the damage that some layers do, and was no candidate.")
    verdict: str = Field(description="passed, missed, larger than one that passed (and so not run), or refused.")
    bytes: int | None
    readings: tuple[ReadingEntry, ...] = ()
    note: str = ""


class SearchEntry(_Entry):
    """What precision = "auto" found, and how."""

    rare = ("ended",)

    conclusion: str = Field(description="What was chosen, and why.")
    ended: str = Field("", description="What ended the search before it was done.")
    trials: tuple[TrialEntry, ...]


class ArtifactEntry(_Entry):
    """One published file, or a folder where the format is one of folders."""

    rare = ("engine", "unchecked", "remark", "kernels", "search", "devices")

    name: FileStem
    file: str = Field(description="Path in the published folder, with forward slashes.")
    format: str
    precision: str
    interface: str
    scheme: SchemeEntry
    engine: str = Field("", description="What quantized it; left out where nothing did.")
    sha256: str = Field(description="Of a folder: that of a line for each file in it, as sha256sum prints them.")
    bytes: int = Field(description="Of a folder: those of its files together.")
    zipped_bytes: int
    inputs: tuple[EdgeEntry, ...]
    outputs: tuple[EdgeEntry, ...]
    checks: tuple[CheckEntry, ...]
    unchecked: str | None = Field(None, description="Why its answers could not be checked, where they were not.")
    remark: str = Field("", description="What its precision makes people believe that is not so.")
    kernels: dict[str, tuple[str, ...]] = Field(
        {}, description="Of a file that TensorFlow runs: the kernel classes that it needs, by operator."
    )
    search: SearchEntry | None = Field(None, description="Of a file whose precision was searched for.")
    devices: tuple[DeviceEntry, ...] = Field((), description="What it answered elsewhere than on this computer.")
    key: str = Field(description="Hash of everything that could change this file.")

    @property
    def missed(self) -> tuple[tuple[str, CheckEntry], ...]:
        """Every limit that it does not keep to, behind the device on which; that is empty for this computer."""
        here = [("", check) for check in self.checks]
        there = [(device.device, check) for device in self.devices for check in device.checks]
        return tuple((device, check) for device, check in (*here, *there) if not check.passed)

    @property
    def passed(self) -> bool:
        """Whether it keeps to every limit, here and on every device."""
        return not self.missed

    @field_validator("file")
    @classmethod
    def _check_file(cls, file: str) -> str:
        return _below(("assets",), file)


class SourceEntry(_Entry):
    """The model that everything was built from."""

    form: str
    files: dict[str, str] = Field(description="File name to sha256.")
    notes: tuple[str, ...] = Field((), description="What people should know of how the model was read.")


class AppEntry(_Entry):
    """The class that is generated for the app's code."""

    rare = ("kotlin_package", "swift_module")

    class_name: TypeName
    kotlin_package: PackageName | None = None
    swift_module: TypeName | None = None
    litert: tuple[Literal["compiled_model", "interpreter"], ...] = Field(
        ("compiled_model", "interpreter"), description="LiteRT's classes that the Kotlin class has adapters for."
    )


class TransformEntry(_Entry):
    """One rewrite of the graph; `difference` is how far outputs moved, None where randomness forbade comparing."""

    name: str
    nodes_before: int
    nodes_after: int
    difference: float | None


class Preparation(_Entry):
    """What was found of the model and the data before any file was written."""

    form: str
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    transforms: tuple[TransformEntry, ...]


class PreprocessingEntry(_Entry):
    """What the model takes: (raw * scale - mean) / std, of a reversed last axis where `channel_order` is bgr.

    `mean` and `std` hold one value, or one a channel in the model's order. Where it is `folded`, the files do all
    this, and take raw values.
    """

    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channel_order: Literal["rgb", "bgr"]
    folded: bool


class Manifest(_Entry):
    """A published folder."""

    rare = ("preprocessing", "warnings", "required_operators", "labels", "app", "generated")

    schema_version: Literal[1] = 1
    target: FileStem
    platform: str
    version: str = Field(description="Of the model.")
    gate: Literal["closed", "warn"] = "closed"
    source: SourceEntry
    data: dict[str, str] = Field(description="Role of each data file to its sha256.")
    warnings: tuple[str, ...] = Field((), description="What is suspicious about the data, a sentence each.")
    preprocessing: dict[Identifier, PreprocessingEntry] = Field({}, description="By the public name of the input.")
    labels: dict[Identifier, tuple[str, ...]] = Field(
        {}, description="Names of classes, by the public name of the output."
    )
    transforms: tuple[TransformEntry, ...]
    artifacts: tuple[ArtifactEntry, ...]
    app: AppEntry | None = Field(None, description="The class that is generated for the app's code.")
    generated: dict[str, str] = Field(
        {}, description="Path to sha256 of what is generated from this: classes, and vectors to test them with."
    )
    golden: str = Field(description="sha256 of golden.npz: inputs, and what each file answered to them.")
    required_operators: str | None = Field(
        None, description="sha256 of required_operators.config: what the .ort files need of a reduced build."
    )
    versions: dict[str, str] = Field(description="Tools that shaped the bytes.")

    @property
    def skipped(self) -> tuple[str, ...]:
        """What was not run on devices, although the target asks for it: a sentence for each reason."""
        skipped: dict[str, dict[str, list[str]]] = {}
        for entry in self.artifacts:
            for device in entry.devices:
                if device.skipped:
                    skipped.setdefault(device.skipped, {}).setdefault(entry.name, []).append(device.device)
        asked = {entry.name for entry in self.artifacts if entry.devices}
        found = []
        for why, by_name in skipped.items():
            devices = dict.fromkeys(device for devices in by_name.values() for device in devices)
            whose = "" if by_name.keys() == asked else f"{', '.join(by_name)} "
            found.append(f"{whose}not run on {', '.join(devices)}: {why}")
        return tuple(found)

    @property
    def preparation(self) -> Preparation:
        """What all files of the folder are built on."""
        source = self.source
        return Preparation(form=source.form, notes=source.notes, warnings=self.warnings, transforms=self.transforms)

    @field_validator("generated")
    @classmethod
    def _check_generated(cls, generated: dict[str, str]) -> dict[str, str]:
        return {_below(KINDS, path): digest for path, digest in generated.items()}

    @property
    def beside(self) -> dict[str, str]:
        """Files of the published folder that are no artifacts, by their path in it, and their sha256."""
        needed = {} if self.required_operators is None else {REQUIRED_OPERATORS: self.required_operators}
        return {GOLDEN: self.golden, **needed, **self.generated}

    def save(self, folder: Path) -> None:
        """Write `manifest.json` into `folder`."""
        text = json.dumps(self.model_dump(mode="json"), indent=2) + "\n"
        (folder / FILE_NAME).write_text(text, encoding="utf-8", newline="\n")


def load_manifest(folder: Path) -> Manifest:
    """Read `manifest.json` from a published folder.

    Raises:
        ModelError: it is missing or damaged.
    """
    return read_manifest(folder / FILE_NAME)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest from wherever it was copied to.

    Raises:
        ModelError: it is missing or damaged.
    """
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path}: not a manifest of schema version {SCHEMA_VERSION}; build the target again"
        ) from error
