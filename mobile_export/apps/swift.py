"""Swift for iOS and macOS: one class for a model, and a file for each runtime that its files need.

Templates hold what a person reads as Swift; what differs from model to model is worked out here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from mobile_export.apps import swift_names as names
from mobile_export.apps.interface import Interface, Port, Runtime, Variant
from mobile_export.errors import TargetError
from mobile_export.manifest import EdgeEntry, PreprocessingEntry

FOLDER = "swift"
"""Of the sources, in the published folder."""

_TYPES = {
    "bool": "Bool",
    "float16": "Float16",
    "float32": "Float",
    "float64": "Double",
    **{f"{sign.lower()}int{bits}": f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
}
"""Swift's types of elements, by NumPy's name."""
_RUNTIMES: Mapping[Runtime, tuple[str, str]] = {
    "litert": ("liteRT", "LiteRT"),
    "onnxruntime": ("onnxRuntime", "ONNX Runtime"),
}
"""How code calls a runtime, and how people do."""
_SOURCES = {"": "model", "Runtime": "runtime", "Edges": "edges", "SelfTest": "self_test"}
_ADAPTERS: Mapping[Runtime, tuple[str, str]] = {
    "litert": ("LiteRT", "litert"),
    "onnxruntime": ("OnnxRuntime", "onnx_runtime"),
}
"""Ending of the file's name, and template."""


@dataclass(frozen=True)
class Member:
    """An input or output, as templates name it.

    Attributes:
        member: its name after a dot.
        index: among the inputs, or among the outputs.
    """

    port: Port
    member: str
    side: str
    index: int

    @property
    def public(self) -> str:
        return self.port.name

    @property
    def labels(self) -> tuple[str, ...]:
        return self.port.labels

    @property
    def identifier(self) -> str:
        """Its name where it is declared."""
        return names.identifier(self.member)

    @property
    def labels_member(self) -> str:
        return f"{self.member}Labels"

    @property
    def type(self) -> str:
        return _TYPES[self.port.dtype]

    @property
    def shape(self) -> str:
        return str(list(self.port.shape))

    @property
    def is_open(self) -> bool:
        """Whether the files leave sizes of it open."""
        return min(self.port.shape, default=1) < 0

    @property
    def usual_shape(self) -> str:
        """The shape with 1 for what is open."""
        return str([1 if size < 0 else size for size in self.port.shape])

    @property
    def summary(self) -> str:
        """What it is, in a line."""
        how = self.port.preprocessing
        if how is None:
            return f"{self.side.capitalize()}, {self.port.dtype}{self.shape}."
        raw = "RGB values, which are turned to BGR," if how.channel_order == "bgr" else "values, which are"
        return f"{self.side.capitalize()}, {self.port.dtype}{self.shape}: raw {raw} scaled and normalized."

    @property
    def call(self) -> str:
        """Makes its tensor, and ties it to the file's edge."""
        function = f"real{self.side.capitalize()}" if self.port.dtype.startswith("float") else self.side
        shape = f"shapes.{self.member}" if self.is_open else self.shape
        call = f"{function}(file.{self.side}s[{self.index}], {shape}"
        how = self.port.preprocessing
        return f"{call})" if how is None else f"{call}, {_preprocessing(how)})"


class Swift:
    """The language."""

    def wanted(self, interface: Interface) -> bool:
        return interface.swift_module is not None

    def generate(self, interface: Interface) -> dict[str, str]:
        """The class, what it stands on, and an adapter for each runtime.

        Raises:
            TargetError: Swift has no such element type, a name is taken, or a label has several lines.
        """
        about = describe(interface)
        adapters = dict(_ADAPTERS[runtime] for runtime in interface.runtimes)
        return {
            f"{FOLDER}/{interface.class_name}{ending}.swift": render(f"{template}.swift.j2", about)
            for ending, template in {**_SOURCES, **adapters}.items()
        }


def describe(interface: Interface) -> dict[str, Any]:
    """What templates know of a target.

    Raises:
        TargetError: Swift has no such element type, a name is taken, or a label has several lines.
    """
    module = _check(interface)
    ports = [*interface.inputs, *interface.outputs]
    found = names.members((port.name for port in ports), names.MEMBERS, endings=("", "Labels"))
    inputs = [Member(p, m, "input", i) for i, (p, m) in enumerate(zip(interface.inputs, found, strict=False))]
    rest = found[len(inputs) :]
    outputs = [Member(p, m, "output", i) for i, (p, m) in enumerate(zip(interface.outputs, rest, strict=True))]
    members = [*inputs, *outputs]
    shapes = [member for member in members if member.is_open]
    target = names.literal(interface.target)
    return {
        "header": f"// Made by mobile-export from the target {target}. Changes will be overwritten.",
        "target": interface.target,
        "version": interface.version,
        "name": interface.class_name,
        "module": module,
        "shim": f"C{module}",
        "variants": _variants(interface),
        "runtimes": [_RUNTIMES[runtime][0] for runtime in interface.runtimes],
        "onnx_runtime": "onnxruntime" in interface.runtimes,
        "inputs": inputs,
        "outputs": outputs,
        "ports": members,
        "open_ports": shapes,
        "has_labels": any(port.labels for port in interface.outputs),
        "shapes_parameter": "shapes: Shapes = Shapes(), " if shapes else "",
        "shapes_argument": "shapes, " if shapes else "",
    }


def render(template: str, about: Mapping[str, Any]) -> str:
    """The text of a file."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701  what is written is Swift and C
        loader=PackageLoader("mobile_export.apps", "templates/swift"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(literal=names.literal, escaped=names.escaped, comment=names.comment)
    return environment.get_template(template).render(about)


def _check(interface: Interface) -> str:
    """The name of the module, and that Swift can have all that there is."""
    name, module = interface.class_name, interface.swift_module or ""
    for key, wanted, taken in (("class_name", name, names.TYPES), ("swift_module", module, names.MODULES)):
        if not names.is_type_name(wanted) or wanted in taken:
            raise TargetError(f"{interface.target}: Swift cannot have {wanted!r} as [app] {key}; choose another name")
    for port in (*interface.inputs, *interface.outputs):
        if port.dtype not in _TYPES:
            raise TargetError(
                f"{interface.target}: {port.name!r} is {port.dtype}, which Swift has no numbers for; "
                "leave out swift_module, or cut the model where its numbers are plain"
            )
        if any("\n" in label for label in port.labels):
            raise TargetError(f"{interface.target}: a label of {port.name!r} has a line break in it; take it out")
    return module


def _variants(interface: Interface) -> list[dict[str, Any]]:
    cases = names.members((variant.name for variant in interface.variants), names.CASES)
    return [_variant(variant, case) for variant, case in zip(interface.variants, cases, strict=True)]


def _variant(variant: Variant, case: str) -> dict[str, Any]:
    runtime, runtime_name = _RUNTIMES[variant.runtime]
    return {
        "case": case,
        "identifier": names.identifier(case),
        "name": variant.name,
        "file_name": variant.file_name,
        "vectors": PurePosixPath(variant.vectors).stem,
        "runtime": runtime,
        "runtime_name": runtime_name,
        "precision": variant.precision,
        "bytes": variant.bytes,
        "sha256": variant.sha256,
        "inputs": list(map(_edge, variant.inputs)),
        "outputs": list(map(_edge, variant.outputs)),
    }


def _edge(edge: EdgeEntry) -> str:
    step = "" if edge.scale is None else f", scale: {edge.scale!r}, zeroPoint: {edge.zero_point or 0}"
    return f"Edge({names.literal(edge.name)}, .{edge.dtype}{step})"


def _preprocessing(how: PreprocessingEntry) -> str:
    mean, std = list(map(float, how.mean)), list(map(float, how.std))
    backwards = "true" if how.channel_order == "bgr" else "false"
    indent = "\n" + 12 * " "
    fields = [f"scale: {how.scale!r}", f"mean: {mean}", f"std: {std}", f"reversed: {backwards}"]
    return f"Preprocessing({','.join(indent + field for field in fields)})"
