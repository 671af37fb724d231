"""Command lines as the classic tools take them.

    --flag=value  --flag value  -flag=value  --switch  --switch=true  --switch true  --noswitch

A tool's flags are the fields of a frozen dataclass under `Flags`, whose types say how values are read.
"""

import difflib
import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, Literal, TypeVar, get_args

from mobile_export.errors import TargetError
from mobile_export.graphs.graph import is_tensor, node_name
from mobile_export.transform_string import is_text

_FLAG = re.compile(r"--?([A-Za-z][\w-]*)(?:=(.*))?", re.DOTALL)
_BOOLEANS = dict.fromkeys(("true", "t", "yes", "1"), True) | dict.fromkeys(("false", "f", "no", "0"), False)
_MOST_DIGITS = 18
_INTEGER = re.compile(rf"[+-]?\d{{1,{_MOST_DIGITS}}}", re.ASCII)
_WIDTH = 100


def flag(default: Any, explained: str, *aliases: str) -> Any:
    """A field that is a flag: its default, its line in the help, and other names that it had at some time."""
    return field(default=default, metadata={"explained": explained, "aliases": aliases})


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What every tool understands."""

    format: Literal["text", "json"] = flag("text", "text or json; json goes to stdout alone.")


Kind = TypeVar("Kind", bound=Flags)


def parse(kind: type[Kind], arguments: Sequence[str]) -> Kind:
    """What a command line says; where it says something twice, the last holds.

    Raises:
        TargetError: a flag is unknown, its value is missing or of another type, or something is no text.
    """
    known = {name: f for f in fields(kind) for name in (f.name, *f.metadata["aliases"])}
    given: dict[str, Any] = {}
    for argument in arguments:
        if not is_text(argument):
            raise TargetError(f"{argument!a} is no text in UTF-8; write it, or name the file, in UTF-8")
    todo = list(arguments)
    while todo:
        argument = todo.pop(0)
        found = _FLAG.fullmatch(argument)
        if found is None:
            raise TargetError(f"{argument!r} is no flag; write --flag=value")
        name, value = found[1].replace("-", "_"), found[2]
        positive = name.removeprefix("no")
        if name not in known and positive in known and known[positive].type is bool and value is None:
            name, value = positive, "false"
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise TargetError(f"--{name}: there is no such flag{''.join(f' (did you mean --{n}?)' for n in near)}")
        if value is None:
            value = _next_value(known[name], todo)
        given[known[name].name] = _read(known[name], value)
    return kind(**given)


def listed(names: str) -> list[str]:
    """The names that a flag lists, separated by commas."""
    return [name for name in names.replace(" ", "").split(",") if name]


def listed_nodes(names: str, flag_name: str) -> list[str]:
    """The nodes that `--flag_name` lists; `y:1` and `^y` stand for the node `y`.

    Raises:
        TargetError: one of them can be no node.
    """
    found = listed(names)
    for name in found:
        if not is_tensor(name):
            raise TargetError(f"--{flag_name}: {name!r} names no node; write the name of a node")
    return [node_name(name) for name in found]


def _next_value(known: "Field[Any]", todo: list[str]) -> str:
    """The value of a flag that has none in its own word, taken from the words that follow."""
    if known.type is bool and not (todo and todo[0].lower() in _BOOLEANS):
        return "true"
    if not todo or _FLAG.fullmatch(todo[0]):
        raise TargetError(f"--{known.name}: its value is missing; write --{known.name}=VALUE")
    return todo.pop(0)


def _read(known: "Field[Any]", value: str) -> Any:
    if known.type is bool:
        if value.lower() not in _BOOLEANS:
            raise TargetError(f"--{known.name}: {value!r} is neither true nor false")
        return _BOOLEANS[value.lower()]
    if known.type is int:
        if not _INTEGER.fullmatch(value):
            raise TargetError(
                f"--{known.name}: {value[:_MOST_DIGITS]!r} is no whole number of {_MOST_DIGITS} digits or fewer"
            )
        return int(value)
    if known.type in (float, float | None):
        return _number(known, value)
    allowed = get_args(known.type)
    if allowed and value not in allowed:
        raise TargetError(f"--{known.name}: {value!r} is not known; allowed: {', '.join(allowed)}")
    return value


def _number(known: "Field[Any]", value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise TargetError(f"--{known.name}: {value!r} is no number")
    return number


def explain(kind: type[Flags]) -> str:
    """The help of a tool: what it does, and a paragraph for each flag."""
    paragraphs = [(kind.__doc__ or "").strip(), "", "Flags, with one dash or two:"]
    for known in sorted(fields(kind), key=lambda known: known.name == "format"):  # its own first
        default = f" Default: {str(known.default).lower() if known.type is bool else known.default}."
        text = known.metadata["explained"] + (default if known.default not in ("", None) else "")
        wrapped = textwrap.wrap(text, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
        paragraphs += [f"  {', '.join(f'--{name}' for name in (known.name, *known.metadata['aliases']))}", *wrapped]
    return "\n".join(paragraphs)
