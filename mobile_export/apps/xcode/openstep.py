"""The text form of Xcode's project files, read so that one place can be edited and no other byte changes.

Libraries for these files read everything and write everything anew: other quotes, other order, and ids by chance.
Whoever reviews the change wants to see what was added, and nothing else.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from mobile_export.errors import TargetError

_DEEPEST = 64
_TOKEN = re.compile(
    r"""(?P<skip>(?:\s+|//[^\n]*|/\*.*?\*/)+)
      | "(?P<quoted>(?:[^"\\]|\\.)*)" | '(?P<single>(?:[^'\\]|\\.)*)'
      | (?P<plain>(?:[^\s"'{}()=;,<>/]|/(?![/*]))+) | (?P<mark>[{}()=;,])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(U[0-9a-fA-F]{4}|[0-7]{1,3}|.)", re.DOTALL)
_CONTROLS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_UNQUOTED = re.compile(r"[A-Za-z0-9_./$]+")


@dataclass(frozen=True)
class Text:
    """A string, from `start` to `end` of the file."""

    start: int
    end: int
    value: str


@dataclass(frozen=True)
class Items:
    """An array; `start` is its opening parenthesis."""

    start: int
    end: int
    items: tuple["Value", ...]


@dataclass(frozen=True)
class Table:
    """A dictionary; `start` is its opening brace, `last` the end of its last entry."""

    start: int
    end: int
    last: int
    entries: dict[str, "Value"]
    keys: dict[str, Text]


Value = Text | Items | Table


def parse(text: str, name: str) -> Table:
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


class _Parser:
    """Recursive descent over tokens."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._text = text
        self._tokens = self._tokenize()
        self._token = next(self._tokens)

    def whole(self) -> Table:
        value = self._value(0)
        if self._token.end != self._token.start or not isinstance(value, Table):
            self._fail("a project file is one dictionary")
        return value

    def _tokenize(self) -> Iterator["_Token"]:
        at = 0
        while at < len(self._text):
            match = _TOKEN.match(self._text, at)
            if match is None:
                self._token = _Token(at, at + 1, "", "")
                self._fail(f"{self._text[at]!r} has no place in a project file")
            if match.lastgroup != "skip":
                yield _Token(at, match.end(), match.lastgroup or "", match[match.lastgroup or 0])
            at = match.end()
        while True:
            yield _Token(at, at, "mark", "end of file")

    def _next(self) -> "_Token":
        token, self._token = self._token, next(self._tokens)
        return token

    def _expect(self, mark: str) -> "_Token":
        if self._token.kind != "mark" or self._token.text != mark:
            self._fail(f"{mark!r} is missing before {self._token.text!r}")
        return self._next()

    def _at(self, mark: str) -> bool:
        return self._token.kind == "mark" and self._token.text == mark

    def _value(self, depth: int) -> Value:
        if depth > _DEEPEST:
            self._fail("values lie in each other deeper than in any project")
        if self._at("{"):
            return self._table(depth)
        if self._at("("):
            return self._array(depth)
        return self._string()

    def _string(self) -> Text:
        token = self._next()
        if token.kind == "mark":
            self._fail(f"{token.text!r} stands where a value should")
        value = token.text if token.kind == "plain" else _ESCAPE.sub(_unescape, token.text)
        return Text(token.start, token.end, value)

    def _array(self, depth: int) -> Items:
        start = self._expect("(").start
        items: list[Value] = []
        while not self._at(")"):
            items.append(self._value(depth + 1))
            if not self._at(")"):
                self._expect(",")
        return Items(start, self._expect(")").end, tuple(items))

    def _table(self, depth: int) -> Table:
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
        return Table(opening.start, self._expect("}").end, last, entries, keys)

    def _fail(self, problem: str) -> NoReturn:
        line = self._text.count("\n", 0, self._token.start) + 1
        raise TargetError(f"{self._name}:{line}: {problem}; open the project in Xcode and save it")


@dataclass(frozen=True)
class _Token:
    start: int
    end: int
    kind: str
    text: str


def _unescape(match: re.Match[str]) -> str:
    escape = match[1]
    if escape[0] == "U" and len(escape) > 1:
        return chr(int(escape[1:], 16))
    if escape[0] in "01234567":
        return chr(int(escape, 8))
    return _CONTROLS.get(escape, escape)
