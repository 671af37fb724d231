"""`ops_to_register.h`: what a selective build of TensorFlow leaves in.

TensorFlow's sources include the file where they are compiled with `-DSELECTIVE_REGISTRATION`, and ask its macros about
every operator and every kernel class, at compile time. A class's name changes from one TensorFlow to the next.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mobile_export.errors import ModelError, TargetError

FILE_NAME = "ops_to_register.h"

ALWAYS = (("NoOp", "NoOp"), ("_Recv", "RecvOp"), ("_Send", "SendOp"))
"""Operators and classes that every session needs, whatever its graph: it adds such nodes itself."""

_GRADIENTS = "SymbolicGradient"

# Names may differ in spaces: the build makes them from its sources, as they are written there. C++11 allows a constant
# expression no loop, and compilers no recursion deeper than 512, so lists are halved.
_HEADER = """\
// Operators and kernels for a selective build of TensorFlow, made by mobile-export for {purpose}.
// Kernel classes have other names in other versions of TensorFlow: build the one that they are of.
#ifndef OPS_TO_REGISTER
#define OPS_TO_REGISTER

namespace {{

constexpr const char* SkipSpaces(const char* text) {{
  return *text == ' ' ? SkipSpaces(text + 1) : text;
}}

constexpr bool SameFrom(const char* a, const char* b);

constexpr bool SameName(const char* a, const char* b) {{
  return SameFrom(SkipSpaces(a), SkipSpaces(b));
}}

constexpr bool SameFrom(const char* a, const char* b) {{
  return *a == *b && (*a == '\\0' || SameName(a + 1, b + 1));
}}

constexpr bool Contains(const char* const* names, int count, const char* name) {{
  return count == 1 ? SameName(*names, name)
                    : Contains(names, count / 2, name) || Contains(names + count / 2, count - count / 2, name);
}}

constexpr const char* kNecessaryOps[] = {{
{ops}}};

constexpr const char* kNecessaryOpKernelClasses[] = {{
{kernels}}};

}}  // namespace

#define SHOULD_REGISTER_OP(op) Contains(kNecessaryOps, sizeof(kNecessaryOps) / sizeof(*kNecessaryOps), op)
#define SHOULD_REGISTER_OP_KERNEL(clz) \\
  Contains(kNecessaryOpKernelClasses, sizeof(kNecessaryOpKernelClasses) / sizeof(*kNecessaryOpKernelClasses), clz)
#define SHOULD_REGISTER_OP_GRADIENT {gradients}

#endif  // OPS_TO_REGISTER
"""

_UNPRINTABLE = re.compile(r"[^ -\[\]-~]")  # and the backslash, which at a line's end takes the next one into a comment
_OPERATOR = re.compile(r"\w+(>\w+)*", re.ASCII)
_EVERYTHING = re.compile(r"#define\s+SHOULD_REGISTER_OP\(\w+\)\s+true\b")
_OPS = re.compile(r"\bkNecessaryOps\[\]\s*=\s*\{([^}]*)\}")
_KERNELS = re.compile(r"\bkNecessaryOpKernelClasses\[\]\s*=\s*\{?([^;}]*)[;}]")
_COMPARED = re.compile(r'\bisequal\(op,\s*"([^"]*)"\)')
_QUOTED = re.compile(r'"([^"]*)"')


def header(kernels: Iterable[tuple[str, str]], purpose: str) -> str:
    """The text of the file.

    Args:
        kernels: operators and kernel classes, "" where an operator takes none; what every session needs is added.
        purpose: what the build is for; for people.

    Raises:
        ModelError: an operator's name, which whoever made the graph has chosen, is none, and could be code.
    """
    pairs = {*kernels, *ALWAYS}
    ops = sorted({op for op, _ in pairs})
    wrong = [op for op in ops if not _OPERATOR.fullmatch(op)]
    if wrong:
        raise ModelError(f"{wrong[0]!r} is no name of an operator; export the model again")
    return _HEADER.format(
        purpose=_UNPRINTABLE.sub("?", purpose),
        ops=_lines(ops),
        kernels=_lines(sorted({without_spaces(kernel) for _, kernel in pairs if kernel})),
        gradients="true" if _GRADIENTS in ops else "false",
    )


@dataclass(frozen=True)
class Registered:
    """What such a file leaves in: operators, and kernel classes without spaces. None of both: everything."""

    ops: frozenset[str] | None
    kernels: frozenset[str] | None


def read_header(text: str) -> Registered:
    """What the header in `text` registers, whether we or TensorFlow's own tool wrote it.

    Raises:
        TargetError: it is no such header; the file's name is the caller's to add.
    """
    if _EVERYTHING.search(text):
        return Registered(None, None)
    listed, kernels = _OPS.search(text), _KERNELS.search(text)
    ops = _QUOTED.findall(listed[1]) if listed else _COMPARED.findall(text)
    if not ops or kernels is None:
        raise TargetError("is no ops_to_register.h as TensorFlow's tool and this one write it")
    return Registered(frozenset(ops), frozenset(map(without_spaces, _QUOTED.findall(kernels[1]))))


def without_spaces(kernel: str) -> str:
    """A class's name as it is compared: TensorFlow takes it from its sources, spaces and all."""
    return kernel.replace(" ", "")


def _lines(names: Iterable[str]) -> str:
    return "".join(f'    "{name}",\n' for name in names)
