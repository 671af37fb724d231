"""A target file as a person wrote it: read, or refused with everything that is wrong in it."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mobile_export.errors import TargetError
from mobile_export.target.choices import Choices, near
from mobile_export.target.tables import Target


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
    for table in (schema, definitions["Artifact"]):
        named = table["properties"]["runs_on"]
        named.get("anyOf", [named])[0]["items"]["enum"] = list(choices.devices)
    return schema


def _explain(detail: ErrorDetails) -> str:
    key = _key(detail["loc"])
    if detail["type"] == "extra_forbidden":
        allowed = _fields_at(detail["loc"][:-1])
        name = str(detail["loc"][-1])
        return f"{key}: unknown key{near(name, allowed)}; allowed here: {', '.join(allowed)}{_place(detail)}"
    if detail["type"] == "missing":
        return f"{key}: missing; add it"
    if detail["type"] == "value_error":
        return f"{key}: {detail['msg'].removeprefix('Value error, ')}"
    if detail["type"] == "tuple_type":
        return f"{key}: write a list, in brackets (it is {detail['input']!r})"
    return f"{key}: {detail['msg'][0].lower()}{detail['msg'][1:]} (it is {detail['input']!r})"


def _place(detail: ErrorDetails) -> str:
    """Where a key stands that is none of the table where it was met: what follows a table's head is the table's."""
    name = detail["loc"][-1]
    if name not in Target.model_fields:
        return ""
    is_table = isinstance(detail["input"], dict)
    return f"; [{name}] is a table of its own" if is_table else f"; {name} stands at the top, before the tables"


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
