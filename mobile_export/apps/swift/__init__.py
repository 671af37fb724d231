"""Swift for iOS and macOS: one class for a model, and a file for each runtime that its files need.

Templates hold what a person reads as Swift; what differs from model to model is worked out here.
"""

from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Any

from mobile_export.apps import templating
from mobile_export.apps.interface import AppEntry, Interface, Runtime, Variant
from mobile_export.apps.naming import visible
from mobile_export.apps.swift import names
from mobile_export.apps.swift.members import TYPES, SwiftMember, edge
from mobile_export.errors import TargetError

FOLDER = "swift"
"""Of the sources, in the published folder."""

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
_FILTERS = {"literal": names.literal, "escaped": names.escaped, "comment": visible}


class Swift:
    """The language."""

    def wanted(self, app: AppEntry) -> bool:
        return app.swift_module is not None

    def paths(self, app: AppEntry, runtimes: Collection[Runtime]) -> list[str]:
        return list(_templates(app, runtimes))

    def generate(self, interface: Interface) -> dict[str, str]:
        """The class, what it stands on, and an adapter for each runtime.

        Raises:
            TargetError: Swift has no such element type, a name is taken, or a label has several lines.
        """
        about = describe(interface)
        return {
            path: render(f"{template}.swift.j2", about)
            for path, template in _templates(interface.app, interface.runtimes).items()
        }


def _templates(app: AppEntry, runtimes: Collection[Runtime]) -> dict[str, str]:
    """What each file is made of, by its path."""
    adapters = dict(_ADAPTERS[runtime] for runtime in runtimes)
    return {
        f"{FOLDER}/{app.class_name}{ending}.swift": template for ending, template in {**_SOURCES, **adapters}.items()
    }


def describe(interface: Interface) -> dict[str, Any]:
    """What templates know of a target.

    Raises:
        TargetError: as `Swift.generate`.
    """
    module = _check(interface)
    members = SwiftMember.all_of(interface, names.members)
    inputs, outputs = ([member for member in members if member.side == side] for side in ("input", "output"))
    open_members = [member for member in members if member.is_open]
    return {
        "header": templating.header(interface.target),
        "target": interface.target,
        "version": interface.version,
        "name": interface.app.class_name,
        "module": module,
        "shim": f"C{module}",
        "variants": _variants(interface),
        "runtimes": [_RUNTIMES[runtime][0] for runtime in interface.runtimes],
        "onnx_runtime": "onnxruntime" in interface.runtimes,
        "inputs": inputs,
        "outputs": outputs,
        "ports": members,
        "open_ports": open_members,
        "has_labels": any(port.labels for port in interface.outputs),
        "shapes_parameter": "shapes: Shapes = Shapes(), " if open_members else "",
        "shapes_argument": "shapes, " if open_members else "",
    }


def render(template: str, about: Mapping[str, Any]) -> str:
    """The text of a file of the class, or of its package."""
    return templating.render(f"swift/{template}", about, _FILTERS)


def _check(interface: Interface) -> str:
    """The name of the module, and that Swift can have all that there is."""
    name, module = interface.app.class_name, interface.app.swift_module or ""
    for key, wanted, taken in (("class_name", name, names.TYPES), ("swift_module", module, names.MODULES)):
        if not names.is_type_name(wanted) or wanted in taken:
            raise TargetError(f"{interface.target}: Swift cannot have {wanted!r} as [app] {key}; choose another name")
    for port in (*interface.inputs, *interface.outputs):
        if port.dtype not in TYPES:
            raise TargetError(
                f"{interface.target}: {port.name!r} is {port.dtype}, which Swift has no numbers for; "
                "leave out swift_module, or cut the model where its numbers are plain"
            )
        if any("\n" in label for label in port.labels):
            raise TargetError(f"{interface.target}: a label of {port.name!r} has a line break in it; take it out")
    return module


def _variants(interface: Interface) -> list[dict[str, Any]]:
    cases = names.cases(variant.name for variant in interface.variants)
    return [_variant(variant, case) for variant, case in zip(interface.variants, cases, strict=True)]


def _variant(variant: Variant, case: str) -> dict[str, Any]:
    runtime, runtime_name = _RUNTIMES[variant.runtime]
    return {
        "case": case,
        "identifier": names.identifier(case),
        "name": variant.name,
        "file": variant.file_name,
        "vectors": PurePosixPath(variant.vectors).name,
        "runtime": runtime,
        "runtime_name": runtime_name,
        "precision": variant.precision,
        "bytes": variant.bytes,
        "sha256": variant.sha256,
        "inputs": list(map(edge, variant.inputs)),
        "outputs": list(map(edge, variant.outputs)),
    }
