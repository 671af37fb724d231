"""Lists of transforms, written as TensorFlow's Graph Transform Tool reads them:

    strip_unused_nodes(type=float, shape="1,299,299,3") remove_nodes(op=Identity, op=CheckNumerics)
    fold_constants(ignore_errors=true)

A name, and in parentheses right behind it, values by name: letters, digits and `_./-`, or anything in double quotes. A
name that comes twice has two values. Between values there is a comma, spaces, or a comma and spaces behind it; before a
comma or a parenthesis there are none. A backslash in quotes keeps the next character from ending them, and stays.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mobile_export.errors import TargetError

_SPACE = re.compile(r"\s*", re.ASCII)
_NAME = re.compile(r"\w+", re.ASCII)
_VALUE = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|([\w./-]+))"?\'?', re.ASCII | re.DOTALL)  # stray quotes are passed over
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SHOWN = 24


@dataclass(frozen=True)
class Call:
    """A transform that is asked for, and the values given to it, in their order."""

    name: str
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def given(self, name: str) -> bool:
        """Whether there is one value of `name`, and it is not empty."""
        return [bool(value) for value in self.values.get(name, ())] == [True]


def parse_calls(text: str) -> tuple[Call, ...]:
    """The transforms that `text` lists.

    Raises:
        TargetError: it cannot be read; says where, and what was expected, but not where the text itself stands.
    """
    if not is_text(text):
        raise TargetError(f"{text[:_SHOWN]!a} is no text in UTF-8; write it in UTF-8")
    return tuple(_calls(_Reader(text)))


def is_text(text: str) -> bool:
    """Whether `text` can be written in UTF-8; what a shell hands over may hold any bytes, as lone surrogates."""
    return _SURROGATE.search(text) is None


class _Reader:
    """What is left of a text."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def take(self, what: re.Pattern[str]) -> re.Match[str] | None:
        """What stands here, if it is `what`."""
        found = what.match(self._text, self._at)
        self._at = self._at if found is None else found.end()
        return found

    def symbol(self, symbol: str) -> bool:
        """Whether `symbol` stands here; it is taken then."""
        found = self._text.startswith(symbol, self._at)
        self._at += len(symbol) * found
        return found

    def ended(self) -> bool:
        return self._at == len(self._text)

    def error(self, problem: str) -> TargetError:
        rest = self._text[self._at : self._at + _SHOWN]
        return TargetError(f"{problem} " + (f"before {rest!r}" if rest else "at the end"))


def _calls(reader: _Reader) -> Iterator[Call]:
    while True:
        reader.take(_SPACE)
        if reader.ended():
            return
        name = reader.take(_NAME)
        if name is None:
            raise reader.error("the name of a transform is missing")
        yield Call(name[0], _values(reader, name[0]) if reader.symbol("(") else {})


def _values(reader: _Reader, transform: str) -> dict[str, tuple[str, ...]]:
    """What stands between the parentheses behind the name of `transform`."""
    values: dict[str, tuple[str, ...]] = {}
    while not reader.symbol(")"):
        if reader.ended():
            raise reader.error(f"{transform}(…: a closing parenthesis is missing")
        reader.symbol(",")
        reader.take(_SPACE)
        name = reader.take(_NAME)
        if name is None:
            raise reader.error(f"{transform}(…: the name of a parameter is missing")
        if not reader.symbol("="):
            raise reader.error(f"{transform}(…: write {name[0]}=VALUE, without spaces; '=' is missing")
        value = reader.take(_VALUE)
        if value is None:
            raise reader.error(f"{transform}(…: {name[0]} has no value, plain or in double quotes,")
        values[name[0]] = (*values.get(name[0], ()), value[1] if value[1] is not None else value[2])
    return values
