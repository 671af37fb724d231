"""Names and texts of generated Kotlin: whatever a model calls its parts, the code compiles and means the same."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain

from mobile_export.apps.naming import camel_case, free_names, letter_first, visible

_KEYWORDS = frozenset(
    "as break class continue do else false for fun if in interface is null object package return super this throw true "
    "try typealias typeof val var when while".split()
)
_MEMBERS = frozenset(
    # of the class itself, of every object, and of the adapters' files
    "accelerator close closed model open run selfTest session variant "
    "equals hashCode toString ortSession interpreter compiledModel "
    # variables beside which inputs and outputs are named
    "at data i it runBytes runs value vectors worst".split()
)
TYPES = frozenset(
    # of the generated class
    "Adapter Companion Difference Edge FileSource Memory MemorySource Model Options Runtime Session Shapes Source Type "
    "Variant "
    # of Kotlin and Java
    "Any Array ArrayList AutoCloseable Boolean BooleanArray Buffer Byte ByteArray ByteBuffer ByteOrder Double "
    "DoubleBuffer Exception File FileChannel FileInputStream Float FloatArray FloatBuffer IOException "
    "IllegalArgumentException IllegalStateException Int IntArray IntBuffer LinkedHashMap List Long LongArray "
    "LongBuffer Map Math MessageDigest MutableMap Nothing Object Set Short ShortBuffer String Unit "
    # of Android and the runtimes
    "Accelerator AssetManager CompiledModel Environment Interpreter LiteRtException OnnxJavaType OnnxTensor "
    "OrtEnvironment OrtException OrtProvider OrtSession TensorBuffer".split()
)
"""Classes that the code names itself, so that none of them can be the model's."""

_DERIVED = ("", "Memory", "Value", "Mean", "Std", "Shape", "Labels")
"""Endings of what is named after an input or output."""
_ESCAPES = {"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\t": "\\t"}
_LINE = 100
_LINES = 2000
"""Of labels, at most: a Java method holds 64 kB of code."""
LONGEST_LABEL = 10_000
"""Characters: a constant holds 64 kB of text."""


def members(public: Iterable[str]) -> list[str]:
    """Names of properties, as near to the public names as Kotlin and the class let them be."""
    return free_names(map(camel_case, public), _KEYWORDS | _MEMBERS, _DERIVED)


def cases(public: Iterable[str]) -> list[str]:
    """Names of enum entries, in upper case."""
    return free_names(letter_first(re.sub(r"[^A-Za-z0-9]", "_", name).upper()) for name in public)


def package(name: str) -> str:
    """A package's name as code has it: keywords among its parts are quoted."""
    return ".".join(f"`{part}`" if part in _KEYWORDS else part for part in name.split("."))


def literal(value: str) -> str:
    """A string literal of this text; whatever cannot be seen is escaped."""
    return f'"{"".join(map(_escaped, value))}"'


def comment(value: str) -> str:
    """Text for a comment, which it neither ends nor leaves the line of."""
    return visible(value).replace("*/", "* /").replace("/*", "/ *")


def label_separator(labels: Collection[str]) -> str:
    """A character that no label has; a line break where that is one."""
    return next(c for c in chain("\n", map(chr, range(0x110000))) if not any(c in label for label in labels))


def label_lines(labels: Sequence[str], separator: str) -> Iterator[str]:
    """All labels with separators between them, in pieces of about a line, and not too many."""
    width = max(_LINE, sum(map(len, labels)) // _LINES)
    line = labels[0]
    for label in labels[1:]:
        line += separator
        if len(line) + len(label) > width:
            yield line
            line = ""
        line += label
    yield line


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2))
