"""Names and texts of generated Swift: whatever a model calls its parts, the code compiles and means the same."""

import re
from collections.abc import Collection, Iterable

_KEYWORDS = frozenset(
    "actor any as associatedtype async await break case catch class continue default defer deinit do else enum "
    "extension fallthrough false fileprivate for func guard if import in inout internal is let nil operator "
    "precedencegroup private protocol public repeat rethrows return some static struct subscript switch throw throws "
    "true try typealias var where while".split()
)
_NEVER = frozenset("init self super".split())
"""Keywords that name no member even in backticks."""

MEMBERS = frozenset("accelerator close edges engine run selfTest variant".split())
"""Of the generated class."""
CASES = frozenset("allCases file hash hashValue none rawValue some".split())
"""Of the generated enum, or of any."""
TYPES = frozenset(
    # of the generated class
    "Edge Edges ElementType Failure File LiteRTEngine Memory Model OnnxRuntimeEngine Opener Options Preprocessing Real "
    "Runtime SelfTest Shapes Tensor Variant Vectors "
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


def members(names: Iterable[str], taken: Collection[str], endings: Collection[str] = ("",)) -> list[str]:
    """Names in camel case, each as near to the public one as can be, and no two alike.

    What is taken is followed by an underscore; so is what is with one of the endings that make further names of it.
    """
    unfree = {*taken, *_NEVER}
    found = []
    for name in names:
        free = _camel_case(name)
        while not unfree.isdisjoint(free + ending for ending in endings):
            free += "_"
        unfree.update(free + ending for ending in endings)
        found.append(free)
    return found


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


def comment(value: str) -> str:
    """Text for a comment, whose line it does not leave."""
    return "".join(character if character.isprintable() else " " for character in value)


def _camel_case(name: str) -> str:
    first, *rest = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word] or ["tensor"]
    first = first.lower() if first.isupper() else first[0].lower() + first[1:]
    joined = first + "".join(word[0].upper() + word[1:] for word in rest)
    return f"_{joined}" if joined[0].isdigit() else joined


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return "\\u{FFFD}" if 0xD800 <= code < 0xE000 else f"\\u{{{code:X}}}"  # half of a pair is no character
