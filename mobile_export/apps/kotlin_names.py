"""Names and texts of generated Kotlin: whatever a model calls its parts, the code compiles and means the same."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain

_KEYWORDS = frozenset(
    "as break class continue do else false for fun if in interface is null object package return super this throw true "
    "try typealias typeof val var when while".split()
)
_MEMBERS = frozenset(
    # of the class itself, of every object, and of the adapters' files
    "accelerator close closed model open run selfTest session variant "
    "equals hashCode toString ortSession interpreter compiledModel "
    # variables beside which inputs and outputs are named
    "at data i it runs value vectors worst".split()
)
TYPES = frozenset(
    # of the generated class
    "Adapter Companion Difference Edge FileSource MemorySource Model Options Runtime Session Source Tensor Type "
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

_DERIVED = ("", "Tensor", "Value", "Mean", "Std", "Shape", "Labels")
"""Endings of what is named after an input or output."""
_ESCAPES = {"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\t": "\\t"}
_LINE = 100
_LINES = 2000
"""Of labels, at most: a Java method holds 64 kB of code."""
LONGEST_LABEL = 10_000
"""Characters: a constant holds 64 kB of text."""


def members(names: Iterable[str]) -> list[str]:
    """Names of properties, in camel case, each as near to the public name as can be and no two alike.

    What Kotlin or the class has taken is followed by an underscore.
    """
    taken = set(_KEYWORDS | _MEMBERS)
    found = []
    for name in names:
        free = _camel_case(name)
        while not taken.isdisjoint(free + ending for ending in _DERIVED):
            free += "_"
        taken.update(free + ending for ending in _DERIVED)
        found.append(free)
    return found


def constants(names: Iterable[str]) -> list[str]:
    """Names of enum entries, in upper case; no two alike."""
    found: list[str] = []
    for name in names:
        free = _letters(re.sub(r"[^A-Za-z0-9]", "_", name).upper())
        while free in found:
            free += "_"
        found.append(free)
    return found


def package(name: str) -> str:
    """A package's name as code has it: keywords among its parts are quoted."""
    return ".".join(f"`{part}`" if part in _KEYWORDS else part for part in name.split("."))


def text(value: str) -> str:
    """A string literal of this text; whatever cannot be seen is escaped."""
    return f'"{"".join(map(_escaped, value))}"'


def comment(value: str) -> str:
    """Text for a comment, which it neither ends nor leaves the line of."""
    visible = "".join(character if character.isprintable() else " " for character in value)
    return visible.replace("*/", "* /").replace("/*", "/ *")


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


def _camel_case(name: str) -> str:
    first, *rest = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word] or ["tensor"]
    first = first.lower() if first.isupper() else first[0].lower() + first[1:]
    return _letters(first + "".join(word[0].upper() + word[1:] for word in rest))


def _letters(name: str) -> str:
    return f"_{name}" if name[:1].isdigit() or not name.strip("_") else name


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2))
