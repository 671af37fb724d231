"""Values of a target file: how each is read, shown in the schema, and written back."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator, ValidationInfo

from mobile_export.errors import TargetError
from mobile_export.target.choices import choices_of, near, one_device, one_of
from mobile_export.transform_string import Call, parse_calls

_CODE = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")


def _absolute(value: Any, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path):
        raise ValueError(f"{value!r} is no path; write it in quotes")
    folder = (info.context or {}).get("folder", Path())
    return Path(folder) / value


def _runtime(value: Any, info: ValidationInfo) -> Path:
    known = choices_of(info).runtimes
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
    known, named = choices_of(info).transforms, choices_of(info).transform_files
    calls: list[Call] = []
    files: dict[str, Path] = {}
    for call in (call for text in texts for call in _calls(text)):
        one_of(call.name, list(known))
        unknown = [name for name in call.values if known and name not in known[call.name]]
        if unknown:
            allowed = known[call.name]
            has = f"allowed: {', '.join(allowed)}" if allowed else "it has none"
            raise ValueError(f"{call.name} has no parameter {unknown[0]!r}{near(unknown[0], allowed)}; {has}")
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
    known = choices_of(info).metrics
    one_of(name, list(known))
    unknown = [key for key in parameters if known and key not in known[name]]
    if unknown:
        allowed = f"allowed: {', '.join(known[name])}" if known[name] else "it has none"
        raise ValueError(f"{name} has no parameter {unknown[0]!r}{near(unknown[0], known[name])}; {allowed}")
    return MetricChoice(name, parameters)


MetricName = Annotated[
    MetricChoice,
    PlainValidator(_metric, json_schema_input_type=str | dict[str, Any]),
    PlainSerializer(lambda metric: {"name": metric.name, **metric.parameters}, return_type=dict[str, Any]),
]


def _device(name: str, info: ValidationInfo) -> str:
    return one_device(name, choices_of(info))


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ValueError(f"{', '.join(twice)} is named more than once; name it once")
    return names


DeviceNames = Annotated[
    tuple[Annotated[str, AfterValidator(_device)], ...],
    AfterValidator(_once),
    Field(json_schema_extra={"uniqueItems": True}),
]
