"""The text form of Xcode's project files, read so that one place can be edited and no other byte changes.

Libraries for these files read everything and write everything anew: other quotes, other order, and ids by chance.
Whoever reviews the change wants to see what was added, and nothing else.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from mobile_export.errors import TargetError

_DEEPEST = 64
_TOKEN = re.compile(
    r"""(?:\s++|//[^\n]*+|/\*.*?\*/)*+
        (?:(?P<quoted>"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+')
          |(?P<plain>(?:[^\s"'{}()=;,<>/]++|/(?![/*]))++)
          |(?P<mark>[{}()=;,]))?""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(U[0-9a-fA-F]{4}|[0-7]{1,3}|.)", re.DOTALL)
_CONTROLS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_UNQUOTED = re.compile(r"[A-Za-z0-9_./$]+")


class Text(NamedTuple):
    """A string, from `start` to `end` of the file. (A tuple, like tokens: a large project has a million of them.)"""

    start: int
    end: int
    value: str


@dataclass(frozen=True)
class Array:
    """`start` is its opening parenthesis."""

    start: int
    end: int
    items: tuple["Value", ...]


@dataclass(frozen=True)
class Dictionary:
    """`start` is its opening brace, `last` the end of its last entry."""

    start: int
    end: int
    last: int
    entries: dict[str, "Value"]
    keys: dict[str, Text]


Value = Text | Array | Dictionary


def parse(text: str, name: str) -> Dictionary:
    """The dictionary that a file is; `name` is for messages.

    Raises:
        TargetError: it is no such text; with the line's number.
    """
    return _Parser(text, name).whole()


def quoted(value: str) -> str:
    """A string as Xcode writes it: in quotes where it has to be."""
    if _UNQUOTED.fullmatch(value) and "//" not in value:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def comment(value: str) -> str:
    """A name for the reader behind an id; it cannot end its own comment."""
    return f"/* {value.replace('*/', '* /')} */"


class _Token(NamedTuple):
    start: int
    end: int
    kind: str
    text: str


class _Parser:
    """Recursive descent over tokens."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._text = text
        self._tokens = self._tokenize()
        self._token = next(self._tokens)

    def whole(self) -> Dictionary:
        value = self._value(0)
        if self._token.end != self._token.start or not isinstance(value, Dictionary):
            self._fail("a project file is one dictionary")
        return value

    def _tokenize(self) -> Iterator[_Token]:
        at = 0
        while match := _TOKEN.match(self._text, at):
            kind = match.lastgroup
            at = match.end()
            if kind is None:
                break
            yield _Token(match.start(kind), at, kind, match[kind])
        end = _Token(at, at, "mark", "end of file")
        if at < len(self._text):
            self._token = end
            self._fail(f"{self._text[at]!r} has no place in a project file")
        while True:
            yield end

    def _next(self) -> _Token:
        token, self._token = self._token, next(self._tokens)
        return token

    def _expect(self, mark: str) -> _Token:
        if self._token.kind != "mark" or self._token.text != mark:
            self._fail(f"{mark!r} is missing before {self._token.text!r}")
        return self._next()

    def _at(self, mark: str) -> bool:
        return self._token.kind == "mark" and self._token.text == mark

    def _value(self, depth: int) -> Value:
        if depth > _DEEPEST:
            self._fail("values lie in each other deeper than in any project")
        if self._at("{"):
            return self._dictionary(depth)
        if self._at("("):
            return self._array(depth)
        return self._string()

    def _string(self) -> Text:
        token = self._next()
        if token.kind == "mark":
            self._fail(f"{token.text!r} stands where a value should")
        return Text(token.start, token.end, token.text if token.kind == "plain" else _unquoted(token.text))

    def _array(self, depth: int) -> Array:
        start = self._expect("(").start
        items: list[Value] = []
        while not self._at(")"):
            items.append(self._value(depth + 1))
            if not self._at(")"):
                self._expect(",")
        return Array(start, self._expect(")").end, tuple(items))

    def _dictionary(self, depth: int) -> Dictionary:
        opening = self._expect("{")
        entries: dict[str, Value] = {}
        keys: dict[str, Text] = {}
        last = opening.end
        while not self._at("}"):
            key = self._string()
            self._expect("=")
            if key.value in entries:
                self._fail(f"{key.value} stands there twice")
            entries[key.value], keys[key.value] = self._value(depth + 1), key
            last = self._expect(";").end
        return Dictionary(opening.start, self._expect("}").end, last, entries, keys)

    def _fail(self, problem: str) -> NoReturn:
        line = self._text.count("\n", 0, self._token.start) + 1
        raise TargetError(f"{self._name}:{line}: {problem}; open the project in Xcode and save it")


def _unquoted(text: str) -> str:
    return _ESCAPE.sub(_unescape, text[1:-1]) if "\\" in text else text[1:-1]


def _unescape(match: re.Match[str]) -> str:
    escape = match[1]
    if escape[0] == "U" and len(escape) > 1:
        return chr(int(escape[1:], 16))
    if escape[0] in "01234567":
        return chr(int(escape, 8))
    return _CONTROLS.get(escape, escape)
