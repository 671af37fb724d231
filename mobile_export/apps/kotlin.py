"""Kotlin for Android: one class for a model, and a file for each runtime that its files need.

Templates hold what a person reads as Kotlin; what differs from model to model is worked out here.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mobile_export.apps import kotlin_names as names
from mobile_export.apps.interface import Interface, Port, Variant
from mobile_export.apps.kotlin_members import KINDS, Kind, Member
from mobile_export.errors import TargetError
from mobile_export.manifest import EdgeEntry

if TYPE_CHECKING:
    from jinja2 import Environment


_RUNTIMES = {"litert": ("LITERT", "liteRt"), "onnxruntime": ("ONNX_RUNTIME", "onnxRuntime")}
_ADAPTERS = {"compiled_model": "CompiledModel", "interpreter": "Interpreter", "onnxruntime": "OnnxRuntime"}


class Kotlin:
    """The language."""

    def wanted(self, interface: Interface) -> bool:
        return interface.kotlin_package is not None

    def generate(self, interface: Interface) -> dict[str, str]:
        """The class, its loading from assets, and an adapter for each runtime.

        Raises:
            TargetError: a shape is dynamic, Kotlin or a runtime has no such element type, or a name is taken.
        """
        _check(interface)
        folder = f"kotlin/{(interface.kotlin_package or '').replace('.', '/')}"
        what = {"": "model", "Asset": "asset"} | {_ADAPTERS[name]: name for name in _adapters(interface)}
        about, templates = _about(interface), _templates()
        return {
            f"{folder}/{interface.class_name}{ending}.kt": templates.get_template(f"{template}.kt.j2").render(about)
            for ending, template in what.items()
        }


def _about(interface: Interface) -> dict[str, Any]:
    """What templates speak of."""
    adapters = _adapters(interface)
    edges = [edge for variant in interface.variants for edge in (*variant.inputs, *variant.outputs)]
    kinds = [kind for dtype, kind in KINDS.items() if dtype in {edge.dtype for edge in edges}]
    ports = _members(interface)
    inputs, outputs = ([member for member in ports if member.side == side] for side in ("inputs", "outputs"))
    return {
        "header": f'// Generated from target "{names.comment(interface.target)}" by mobile-export; do not edit.',
        "package": names.package(interface.kotlin_package or ""),
        "name": interface.class_name,
        "target": interface.target,
        "version": interface.version,
        "buffers": sorted({member.kind.buffer for member in ports} - {"ByteBuffer"}),
        "inputs": inputs,
        "outputs": outputs,
        "ports": ports,
        "kinds": kinds,
        "variants": _variants(interface, ports),
        "runtimes": _runtimes(interface),
        "stored": _quantized(interface, "inputs"),
        "answered": _quantized(interface, "outputs"),
        "prepared": any(
            member.port.preprocessing and variant.inputs[member.index].scale is None
            for member in inputs
            for variant in interface.variants
        ),
        "shares": any(member.quantized and member.port.preprocessing is None for member in ports),
        "run_bytes": sum(4 + member.size * member.kind.bytes for member in ports),
        "refused": [kind for kind in kinds if kind.array is None],
        "interpreter": interface.class_name + _ADAPTERS["interpreter"] if "interpreter" in adapters else None,
    }


def _members(interface: Interface) -> list[Member]:
    sides = {"inputs": interface.inputs, "outputs": interface.outputs}
    found = names.members(port.name for ports in sides.values() for port in ports)
    placed = [(side, index, port) for side, ports in sides.items() for index, port in enumerate(ports)]
    return [
        Member(port, name, side, index, KINDS[port.dtype], _is_quantized(interface, side, index))
        for name, (side, index, port) in zip(found, placed, strict=True)
    ]


def _is_quantized(interface: Interface, side: str, index: int) -> bool:
    return any(getattr(variant, side)[index].scale is not None for variant in interface.variants)


def _quantized(interface: Interface, side: str) -> list[Kind]:
    """Element types that stand for real values on one side of some file."""
    edges = [edge for variant in interface.variants for edge in getattr(variant, side)]
    used = {edge.dtype for edge in edges if edge.scale is not None}
    return [kind for dtype, kind in KINDS.items() if dtype in used]


def _variants(interface: Interface, ports: Sequence[Member]) -> list[dict[str, Any]]:
    constants = names.constants(variant.name for variant in interface.variants)
    return [
        {
            "name": constant,
            "asset": variant.asset,
            "vectors": variant.vectors.removeprefix("test_assets/"),
            "runtime": _RUNTIMES[variant.runtime][0],
            "precision": variant.precision,
            "sha256": variant.sha256,
            "bytes": variant.bytes,
            "edges": [
                [_edge(getattr(variant, side)[member.index], member) for member in ports if member.side == side]
                for side in ("inputs", "outputs")
            ],
        }
        for constant, variant in zip(constants, interface.variants, strict=True)
    ]


def _edge(edge: EdgeEntry, member: Member) -> str:
    """Arguments of an Edge."""
    plain = f"{names.text(edge.name)}, Type.{KINDS[edge.dtype].type}, {member.name}Shape"
    return plain if edge.scale is None else f"{plain}, {edge.scale!r}, {edge.zero_point or 0}"


def _runtimes(interface: Interface) -> list[dict[str, str]]:
    """What runs files, each with the adapter that runs them unless the app says otherwise."""
    defaults = {"litert": interface.litert[0], "onnxruntime": "onnxruntime"}
    return [
        {
            "constant": _RUNTIMES[runtime][0],
            "option": _RUNTIMES[runtime][1],
            "adapter": interface.class_name + _ADAPTERS[defaults[runtime]],
        }
        for runtime in interface.runtimes
    ]


def _adapters(interface: Interface) -> list[str]:
    """Names of the adapters that the target's files need, those of LiteRT first."""
    of = {"litert": list(interface.litert), "onnxruntime": ["onnxruntime"]}
    return [adapter for runtime in interface.runtimes for adapter in of[runtime]]


def _check(interface: Interface) -> None:
    """Refuse what Kotlin cannot say.

    Raises:
        TargetError: as of `Kotlin.generate`.
    """
    where = f"{interface.target}: Kotlin for {interface.class_name}"
    for name in (interface.class_name, *(interface.kotlin_package or "").split(".")):
        if not (name.isascii() and name.isidentifier()):
            raise TargetError(f"{where}: {name!r} is no name; use letters, digits and underscores, no digit first")
    if interface.class_name in names.TYPES:
        raise TargetError(f"{where}: it has a class of this name; choose another class_name")
    for port in (*interface.inputs, *interface.outputs):
        _check_port(where, port)
    for variant in interface.variants:
        for edge in (*variant.inputs, *variant.outputs):
            _check_edge(where, _adapters(interface), variant, edge)


def _check_port(where: str, port: Port) -> None:
    if port.dtype not in KINDS:
        raise TargetError(f"{where}: {port.name!r} is {port.dtype}, which no buffer holds; leave kotlin_package out")
    if any(size < 0 for size in port.shape):
        raise TargetError(f"{where}: {port.name!r} is {list(port.shape)}; give it a fixed shape in the target")
    if port.preprocessing is not None and port.dtype != "float32":
        raise TargetError(f"{where}: {port.name!r} is {port.dtype}, and only float32 is preprocessed; leave that out")
    if any(len(label) > names.LONGEST_LABEL for label in port.labels):
        raise TargetError(f"{where}: a label of {port.name!r} is longer than {names.LONGEST_LABEL} characters")


def _check_edge(where: str, adapters: Sequence[str], variant: Variant, edge: EdgeEntry) -> None:
    kind = KINDS.get(edge.dtype)
    held = kind is not None and (edge.scale is None or kind.high > 0)
    if kind is not None and variant.runtime == "litert":
        takes = {"compiled_model": kind.array is not None, "interpreter": kind.interpreter}
        held = held and any(takes[adapter] for adapter in adapters if adapter in takes)
    if not held:
        raise TargetError(
            f"{where}: {edge.name!r} of {variant.name} is {edge.dtype}, which its runtime's Java classes do not hold; "
            "give the artifact another interface"
        )


def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701  # this is Kotlin, and its filters escape for Kotlin
        loader=PackageLoader("mobile_export.apps", "templates/kotlin"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"text": names.text, "comment": names.comment}
    return environment
