"""How names are spelled that a target gives and a manifest repeats: they are printed, and become code and paths."""

import re
from typing import Annotated

from pydantic import AfterValidator

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TYPE_NAME = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
_PACKAGE = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")
FILE_STEM = re.compile(r"[a-z0-9][a-z0-9_]*")


def _identifier(name: str) -> str:
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a name in Kotlin and Swift; use letters, digits and underscores")
    return name


def _type_name(name: str) -> str:
    if not _TYPE_NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a class; use letters and digits, an upper-case letter first")
    return name


def _package(name: str) -> str:
    if not _PACKAGE.fullmatch(name):
        raise ValueError(f"{name!r} is no package; use lower-case names with dots between them")
    return name


def _file_stem(name: str) -> str:
    if not FILE_STEM.fullmatch(name):
        raise ValueError("use lower-case letters, digits and underscores (Android's resource rules)")
    return name


Identifier = Annotated[str, AfterValidator(_identifier)]
"""Public name of an input or output."""
TypeName = Annotated[str, AfterValidator(_type_name)]
"""Of a generated class, or a Swift module."""
PackageName = Annotated[str, AfterValidator(_package)]
"""Of Kotlin."""
FileStem = Annotated[str, AfterValidator(_file_stem)]
"""Of a target, or an artifact."""
