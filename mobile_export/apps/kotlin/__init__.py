"""Kotlin for Android: one class for a model, and a file for each runtime that its files need.

Templates hold what a person reads as Kotlin; what differs from model to model is worked out here.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mobile_export.apps.interface import AppEntry, EdgeEntry, Interface, Port, Runtime, Variant
from mobile_export.apps.kotlin import names
from mobile_export.apps.kotlin.members import KINDS, KotlinMember, edge_arguments
from mobile_export.apps.templating import header, render
from mobile_export.errors import TargetError

_RUNTIMES: Mapping[Runtime, tuple[str, str]] = {
    "litert": ("LITERT", "liteRt"),
    "onnxruntime": ("ONNX_RUNTIME", "onnxRuntime"),
}
"""What code calls a runtime, and the option that takes an adapter for it."""
_SOURCES = {"": "model", "Asset": "asset"}
_ADAPTERS = {"compiled_model": "CompiledModel", "interpreter": "Interpreter", "onnxruntime": "OnnxRuntime"}
"""Ending of the class's name, by that of its template."""
_FILTERS = {"literal": names.literal, "comment": names.comment}


class Kotlin:
    """The language."""

    def wanted(self, app: AppEntry) -> bool:
        return app.kotlin_package is not None

    def paths(self, app: AppEntry, runtimes: Collection[Runtime]) -> list[str]:
        return list(_templates(app, runtimes))

    def generate(self, interface: Interface) -> dict[str, str]:
        """The class, its loading from assets, and an adapter for each runtime.

        Raises:
            TargetError: Kotlin or a runtime's Java classes lack an element type or open sizes, or a name is taken.
        """
        about = describe(interface)
        return {
            path: render(f"kotlin/{template}.kt.j2", about, _FILTERS)
            for path, template in _templates(interface.app, interface.runtimes).items()
        }


def _templates(app: AppEntry, runtimes: Collection[Runtime]) -> dict[str, str]:
    """What each file is made of, by its path."""
    folder = f"kotlin/{(app.kotlin_package or '').replace('.', '/')}"
    adapters = {_ADAPTERS[name]: name for name in _adapters(app, runtimes)}
    return {f"{folder}/{app.class_name}{ending}.kt": template for ending, template in {**_SOURCES, **adapters}.items()}


def _adapters(app: AppEntry, runtimes: Collection[Runtime]) -> list[str]:
    """Names of the adapters that files need, those of LiteRT first."""
    of: Mapping[Runtime, Sequence[str]] = {"litert": app.litert, "onnxruntime": ["onnxruntime"]}
    return [adapter for runtime in runtimes for adapter in of[runtime]]


def describe(interface: Interface) -> dict[str, Any]:
    """What templates know of a target.

    Raises:
        TargetError: as `Kotlin.generate`.
    """
    _check(interface)
    app, adapters = interface.app, _adapters(interface.app, interface.runtimes)
    members = KotlinMember.all_of(interface, names.members)
    inputs, outputs = ([member for member in members if member.side == side] for side in ("input", "output"))
    used = {edge.dtype for member in members for edge in member.edges}
    kinds = [kind for dtype, kind in KINDS.items() if dtype in used]
    return {
        "header": header(interface.target),
        "target": interface.target,
        "version": interface.version,
        "name": app.class_name,
        "package": names.package(app.kotlin_package or ""),
        "variants": _variants(interface),
        "runtimes": _runtimes(interface),
        "inputs": inputs,
        "outputs": outputs,
        "ports": members,
        "open_ports": [member for member in members if member.is_open],
        "buffers": sorted({member.kind.buffer for member in members} - {"ByteBuffer"}),
        "kinds": kinds,
        "stored": [kind for kind in kinds if any(kind in member.stored for member in inputs)],
        "answered": [kind for kind in kinds if any(kind in member.stored for member in outputs)],
        "prepared": any(member.port.preprocessing and edge.scale is None for member in inputs for edge in member.edges),
        "shares": any(member.quantized and member.port.preprocessing is None for member in members),
        "refused": [kind for kind in kinds if kind.array is None],
        "interpreter": app.class_name + _ADAPTERS["interpreter"] if "interpreter" in adapters else None,
    }


def _variants(interface: Interface) -> list[dict[str, Any]]:
    cases = names.cases(variant.name for variant in interface.variants)
    return [_variant(variant, case) for variant, case in zip(interface.variants, cases, strict=True)]


def _variant(variant: Variant, case: str) -> dict[str, Any]:
    return {
        "case": case,
        "file": variant.asset,
        "vectors": variant.vectors.removeprefix("test_assets/"),
        "runtime": _RUNTIMES[variant.runtime][0],
        "precision": variant.precision,
        "bytes": variant.bytes,
        "sha256": variant.sha256,
        "sides": [list(map(edge_arguments, side)) for side in (variant.inputs, variant.outputs)],
    }


def _runtimes(interface: Interface) -> list[dict[str, str]]:
    """What runs files, each with the adapter that runs them unless the app says otherwise."""
    defaults: Mapping[Runtime, str] = {"litert": interface.app.litert[0], "onnxruntime": "onnxruntime"}
    return [
        {
            "constant": _RUNTIMES[runtime][0],
            "option": _RUNTIMES[runtime][1],
            "adapter": interface.app.class_name + _ADAPTERS[defaults[runtime]],
        }
        for runtime in interface.runtimes
    ]


def _check(interface: Interface) -> None:
    """Refuse what Kotlin cannot say.

    Raises:
        TargetError: as `Kotlin.generate`.
    """
    app = interface.app
    where = f"{interface.target}: Kotlin for {app.class_name}"
    for name in (app.class_name, *(app.kotlin_package or "").split(".")):
        if not (name.isascii() and name.isidentifier()):
            raise TargetError(f"{where}: {name!r} is no name; use letters, digits and underscores, no digit first")
    if app.class_name in names.TYPES:
        raise TargetError(f"{where}: it has a class of this name; choose another class_name")
    for port in (*interface.inputs, *interface.outputs):
        _check_port(where, port, interface.runtimes)
    for variant in interface.variants:
        for edge in (*variant.inputs, *variant.outputs):
            _check_edge(where, app, variant, edge)


def _check_port(where: str, port: Port, runtimes: Collection[Runtime]) -> None:
    if port.dtype not in KINDS:
        raise TargetError(f"{where}: {port.name!r} is {port.dtype}, which no buffer holds; leave kotlin_package out")
    if port.is_open and "litert" in runtimes:
        raise TargetError(
            f"{where}: {port.name!r} is {list(port.shape)}, and LiteRT's Java classes take fixed sizes alone; "
            "give it a fixed shape in the target"
        )
    if port.preprocessing is not None and port.dtype != "float32":
        raise TargetError(f"{where}: {port.name!r} is {port.dtype}, and only float32 is preprocessed; leave that out")
    if any(len(label) > names.LONGEST_LABEL for label in port.labels):
        raise TargetError(f"{where}: a label of {port.name!r} is longer than {names.LONGEST_LABEL} characters")


def _check_edge(where: str, app: AppEntry, variant: Variant, edge: EdgeEntry) -> None:
    kind = KINDS.get(edge.dtype)
    held = kind is not None and (edge.scale is None or kind.high > 0)
    if kind is not None and variant.runtime == "litert":
        takes = {"compiled_model": kind.array is not None, "interpreter": kind.interpreter}
        held = held and any(takes[adapter] for adapter in app.litert)
    if not held:
        raise TargetError(
            f"{where}: {edge.name!r} of {variant.name} is {edge.dtype}, which its runtime's Java classes do not hold; "
            "give the artifact another interface"
        )
