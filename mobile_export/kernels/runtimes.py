"""What another build of TensorFlow has: the one on the phone.

A list is text, one thing a line, with `#` before comments:

    NoOp                                           a kernel for any types
    Conv2D<T=float16|float32>                      a kernel, and what the types of these attributes may be
    Conv2D<T=float32> Conv2DOp<CPUDevice,float>    the same, with its class
    Conv2D(T,data_format,padding,strides)          all attributes that the operator takes there, where they are known
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from mobile_export.errors import TargetError
from mobile_export.kernels.header import Registered, read_header, without_spaces
from mobile_export.kernels.needed import Need

_FOLDER = Path(__file__).parent / "runtimes"
RUNTIMES: dict[str, Path] = {
    "tensorflow-android-1.4.0": _FOLDER / "tensorflow-android-1.4.0.txt",
    "tensorflow-android-1.13.1": _FOLDER / "tensorflow-android-1.13.1.txt",
}
"""Lists that come with this tool. Each says at its top where it is from."""
LARGEST = 1 << 24
"""Bytes of a list or header; every kernel of a desktop's TensorFlow takes less than a tenth."""

TYPE_NAMES = frozenset(
    """
    bfloat16 bool complex128 complex64 float16 float32 float64 int16 int32 int64 int8 qint16 qint32 qint8 quint16 quint8
    resource string uint16 uint32 uint64 uint8 variant
    """.split()
)
"""What types are called in a list: as NumPy does, where it has them."""

_LINE = re.compile(
    r"(?P<op>\w+(?:>\w+)*)(?:\((?P<attributes>[\w,]*)\)|(?:<(?P<types>[\w=|, ]*)>)?(?: +(?P<kernel>[\w:<>,&* ()-]+))?)"
)
_CONSTRAINT = re.compile(r" *(\w+)=(\w+(?:\|\w+)*) *")


class Lack(NamedTuple):
    """What a runtime has not: where the graph asks for it first, and a sentence's part on it."""

    need: Need
    node: str
    reason: str

    def __str__(self) -> str:
        return f"{self.need} (node {self.node!r}): {self.reason}"


class Runtime(Protocol):
    """A build of TensorFlow."""

    def lacks(self, need: Need) -> Iterator[Lack]:
        """What of `need` it has not."""
        ...

    def kernel_class(self, need: Need) -> str | None:
        """Its class for `need`, as `Need.kernel`; None where it has none, or that is not known."""
        ...

    def attributes_of(self, op: str) -> frozenset[str] | None:
        """The attributes that the operator takes; None where that is not known."""
        ...


@dataclass(frozen=True)
class Kernel:
    """A registered kernel: the types that some attributes may have, and its class where that is known."""

    types: Mapping[str, frozenset[str]]
    name: str | None = None

    def takes(self, need: Need) -> bool:
        """Whether it is one for `need`."""
        asked = dict(need.types)
        return all(name in asked and allowed.issuperset(asked[name]) for name, allowed in self.types.items())


@dataclass(frozen=True)
class KernelList:
    """A runtime of which a list says what it has."""

    kernels: Mapping[str, list[Kernel]] = field(default_factory=dict)
    attributes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def lacks(self, need: Need) -> Iterator[Lack]:
        kernels = self.kernels.get(need.op)
        if not kernels:
            yield Lack(need, need.node, f"there is no kernel for {need.op}")
        elif not any(kernel.takes(need) for kernel in kernels):
            yield Lack(need, need.node, f"its kernels are {_taken_instead(kernels, need)}")
        for name in sorted(set(need.attributes) - self.attributes.get(need.op, need.attributes.keys())):
            reason = f"the attribute {name!r} is unknown there; remove_attribute drops it, where it has its default"
            yield Lack(need, need.attributes[name], reason)

    def kernel_class(self, need: Need) -> str | None:
        if need.kernel == "":
            return ""
        return next((kernel.name for kernel in self.kernels.get(need.op, ()) if kernel.takes(need)), None)

    def attributes_of(self, op: str) -> frozenset[str] | None:
        return self.attributes.get(op)


@dataclass(frozen=True)
class SelectiveBuild:
    """A runtime that was built with an `ops_to_register.h`."""

    registered: Registered

    def lacks(self, need: Need) -> Iterator[Lack]:
        ops, kernels = self.registered.ops, self.registered.kernels
        if ops is not None and need.op not in ops:
            yield Lack(need, need.node, f"the operator {need.op} is not registered")
        elif need.kernel is None:
            yield from INSTALLED.lacks(need)
        elif kernels is not None and need.kernel and without_spaces(need.kernel) not in kernels:
            yield Lack(need, need.node, f"the kernel {without_spaces(need.kernel)} is not registered")

    def kernel_class(self, need: Need) -> str | None:
        return need.kernel

    def attributes_of(self, op: str) -> frozenset[str] | None:
        return None


class Installed:
    """The TensorFlow that is installed here, on CPUs."""

    def lacks(self, need: Need) -> Iterator[Lack]:
        if need.kernel is None:
            yield Lack(need, need.node, "the TensorFlow that is installed has no kernel for CPUs")

    def kernel_class(self, need: Need) -> str | None:
        return need.kernel

    def attributes_of(self, op: str) -> frozenset[str] | None:
        return None


INSTALLED = Installed()


def runtime_named(name: str) -> Runtime:
    """The list that comes with this tool under `name`, or what is in the file of that name.

    Raises:
        TargetError: there is neither, or the file is no list of kernels.
    """
    return load_runtime(RUNTIMES.get(name, Path(name)))


def load_runtime(path: Path) -> Runtime:
    """What the list, or the `ops_to_register.h`, in the file at `path` says that a runtime has.

    Raises:
        TargetError: it cannot be read, or is neither.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1).decode("utf-8")
    except OSError as error:
        known = ", ".join(RUNTIMES)
        raise TargetError(f"{path}: cannot be read: {error.strerror}; name a file, or one of {known}") from error
    except UnicodeDecodeError as error:
        raise TargetError(f"{path}: is neither a list of kernels nor an ops_to_register.h") from error
    if len(text) > LARGEST:
        raise TargetError(f"{path}: is larger than any list of kernels ({LARGEST} bytes)")
    try:
        return SelectiveBuild(read_header(text)) if "SHOULD_REGISTER_OP" in text else read_list(text)
    except TargetError as error:
        raise TargetError(f"{path}: {error}") from error


def read_list(text: str) -> KernelList:
    """What the list in `text` says.

    Raises:
        TargetError: a line is not as they are, or there is none.
    """
    kernels: dict[str, list[Kernel]] = {}
    attributes: dict[str, frozenset[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        found = _LINE.fullmatch(content)
        if found is None:
            raise TargetError(f"line {number}: {content[:80]!r} is no kernel; write Op, or Op<T=float32|int32>")
        if found["attributes"] is not None:
            attributes[found["op"]] = frozenset(filter(None, found["attributes"].split(",")))
        else:
            kernel = Kernel(_constraints(found["types"] or "", number), found["kernel"])
            kernels.setdefault(found["op"], []).append(kernel)
    if not kernels:
        raise TargetError("names no kernel; write one a line, as Op or Op<T=float32|int32>")
    return KernelList(kernels, attributes)


def _taken_instead(kernels: Sequence[Kernel], need: Need) -> str:
    """What kernels that do not take `need` are for."""
    for name, types in need.types:
        allowed = [kernel.types.get(name) for kernel in kernels]
        known = frozenset[str]().union(*(each for each in allowed if each is not None))
        if None not in allowed and not known.issuperset(types):
            return f"for {name}={'|'.join(sorted(known))}"
    return "not for these types together"


def _constraints(text: str, line: int) -> dict[str, frozenset[str]]:
    """`T=float32|int32, Tidx=int32` by attribute."""
    constraints = {}
    for part in text.split(",") if text.strip() else ():
        found = _CONSTRAINT.fullmatch(part)
        types = found[2].split("|") if found else []
        unknown = [name for name in types if name not in TYPE_NAMES]
        if found is None or unknown:
            what = f"{unknown[0]!r} is no type" if unknown else f"{part.strip()!r} names no types"
            raise TargetError(f"line {line}: {what}; write T=float32|int32, with types as NumPy calls them")
        constraints[found[1]] = frozenset(types)
    return constraints
