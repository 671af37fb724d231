"""Names and texts of generated Swift: whatever a model calls its parts, the code compiles and means the same."""

import re
from collections.abc import Iterable

from mobile_export.apps.naming import camel_case, free_names

_KEYWORDS = frozenset(
    "actor any as associatedtype async await break case catch class continue default defer deinit do else enum "
    "extension fallthrough false fileprivate for func guard if import in inout internal is let nil operator "
    "precedencegroup private protocol public repeat rethrows return some static struct subscript switch throw throws "
    "true try typealias var where while".split()
)
_NEVER = frozenset("init self super".split())
"""Keywords that name no member even in backticks."""

_MEMBERS = frozenset("accelerator close edges run selfTest session variant".split())
"""Of the generated class."""
_CASES = frozenset(
    "allCases bytes facts file hash hashValue none path precision rawValue runtime sha256 some vectors".split()
)
"""Of the generated enum, or of any."""
_DERIVED = ("", "Labels")
"""Endings of what is named after an input or output."""
TYPES = frozenset(
    # of the generated class
    "Adapter Difference Edge Edges ElementType Facts Failure LiteRTSession Memory Model OnnxRuntimeSession Options "
    "Preprocessing Runtime Shapes Source Tensor Variant Vectors "
    # of Swift and Foundation
    "Any AnyObject Array BinaryFloatingPoint Bool Bundle CChar CaseIterable Collection CustomStringConvertible Data "
    "Dictionary Double Error FileManager FixedWidthInteger Float Float16 Int Int16 Int32 Int64 Int8 LocalizedError "
    "MemoryLayout NSData NSNumber OpaquePointer Optional Protocol Self Sendable Set String Type UInt16 UInt32 UInt64 "
    "UInt8 URL UnsafeMutableBufferPointer UnsafeMutableRawBufferPointer UnsafeMutableRawPointer UnsafePointer "
    "UnsafeRawPointer Void".split()
)
"""Types that the code names itself, so that none of them can be the model's."""
MODULES = frozenset("Foundation Swift TensorFlowLiteC XCTest".split())
"""What the code imports."""

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def members(public: Iterable[str]) -> list[str]:
    """Names of properties, as near to the public names as Swift and the class let them be."""
    return free_names(map(camel_case, public), _MEMBERS | _NEVER, _DERIVED)


def cases(public: Iterable[str]) -> list[str]:
    """Names of the enum's cases."""
    return free_names(map(camel_case, public), _CASES | _NEVER)


def identifier(name: str) -> str:
    """A name as it is declared: keywords in backticks."""
    return f"`{name}`" if name in _KEYWORDS else name


def is_type_name(name: str) -> bool:
    """Whether a class or module may be called so."""
    return re.fullmatch(r"[A-Z][A-Za-z0-9_]*", name) is not None


def literal(value: str) -> str:
    """A string literal of this text; whatever cannot be seen is escaped."""
    return f'"{escaped(value)}"'


def escaped(value: str) -> str:
    """The same without its quotes."""
    return "".join(map(_escaped, value))


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return "\\u{FFFD}" if 0xD800 <= code < 0xE000 else f"\\u{{{code:X}}}"  # half of a pair is no character
