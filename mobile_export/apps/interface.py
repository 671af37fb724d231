"""What an app's code sees of a target: public inputs and outputs, and the files that it may run for them.

Made of the manifest alone, so that code can be generated wherever a published folder lies.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from mobile_export.errors import TargetError
from mobile_export.published.manifest import AppEntry, ArtifactEntry, EdgeEntry, Manifest, PreprocessingEntry

__all__ = [  # with what languages need of the manifest, so that they know this module alone
    "RUNTIMES",
    "AppEntry",
    "EdgeEntry",
    "Interface",
    "Port",
    "PreprocessingEntry",
    "Runtime",
    "Variant",
    "interface_of",
    "runtimes_of",
    "vectors_of",
]

Runtime = Literal["litert", "onnxruntime"]

RUNTIMES: dict[str, Runtime] = {"tflite": "litert", "onnx": "onnxruntime", "ort": "onnxruntime"}
"""By format; files of other formats have no class, since apps run them with libraries of their own."""


@dataclass(frozen=True)
class Port:
    """A public input or output of the model, the same whatever file runs.

    Attributes:
        dtype: NumPy's name of the element type: float32 where files hold integers that stand for real values.
        shape: sizes; -1 where every file leaves them open.
        preprocessing: what raw values of an input go through; None where they are taken as they are.
        labels: names of an output's classes, in order; empty where it has none.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    preprocessing: PreprocessingEntry | None = None
    labels: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether every file leaves sizes of it open."""
        return min(self.shape, default=0) < 0


@dataclass(frozen=True)
class Variant:
    """A file that answers for the model.

    Attributes:
        file: its path in the published folder; `asset` is that in an Android app, `file_name` that in an iOS bundle.
        inputs, outputs: its own edges, in the order of the interface's ports.
    """

    name: str
    file: str
    format: str
    precision: str
    sha256: str
    bytes: int
    inputs: tuple[EdgeEntry, ...]
    outputs: tuple[EdgeEntry, ...]

    @property
    def runtime(self) -> Runtime:
        """What runs it in an app."""
        return RUNTIMES[self.format]

    @property
    def asset(self) -> str:
        """Its path among an Android app's assets."""
        return self.file.removeprefix("assets/")

    @property
    def file_name(self) -> str:
        """Its name in an iOS bundle, which has no folders."""
        return self.file.rsplit("/", 1)[-1]

    @property
    def vectors(self) -> str:
        """Where its golden vectors lie in the published folder."""
        return vectors_of(self.file)


@dataclass(frozen=True)
class Interface:
    """A model as generated code offers it.

    Attributes:
        version: of the model.
        app: what the class is called, and where it goes in each language.
    """

    target: str
    version: str
    app: AppEntry
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    variants: tuple[Variant, ...]

    @property
    def runtimes(self) -> tuple[Runtime, ...]:
        """Those that the variants need, in the order of their names."""
        return runtimes_of(variant.format for variant in self.variants)


def runtimes_of(formats: Iterable[str]) -> tuple[Runtime, ...]:
    """What runs files of these formats in an app, in the order of names."""
    return tuple(sorted({RUNTIMES[each] for each in formats}))


def vectors_of(file: str) -> str:
    """Where the golden vectors of a file lie, by its own path in the published folder."""
    return f"test_{file.rsplit('.', 1)[0]}.golden"


def interface_of(manifest: Manifest) -> Interface:
    """The interface of a published target that has an `[app]`.

    Raises:
        TargetError: there is no `[app]`, no file that a class could run, or files differ in what they take or give.
    """
    app = manifest.app
    entries = [entry for entry in manifest.artifacts if entry.format in RUNTIMES]
    if app is None or not entries:
        lacking = "[app]" if app is None else f"artifact of the formats {', '.join(RUNTIMES)}"
        raise TargetError(f"{manifest.target}: the target has no {lacking}, so there is no class to write; add one")
    inputs = _ports(manifest, "input", [entry.inputs for entry in entries])
    outputs = _ports(manifest, "output", [entry.outputs for entry in entries])
    return Interface(
        target=manifest.target,
        version=manifest.version,
        app=app,
        inputs=inputs,
        outputs=outputs,
        variants=tuple(_variant(entry, inputs, outputs) for entry in entries),
    )


def _ports(manifest: Manifest, kind: str, edges: Sequence[Sequence[EdgeEntry]]) -> tuple[Port, ...]:
    """One port for each name, in the order of the first file; every file has the same names."""
    names = [edge.name for edge in edges[0]]
    if any({edge.name for edge in own} != set(names) for own in edges):
        raise TargetError(f"{manifest.target}: files differ in their {kind}s, so that no class could run each of them")
    return tuple(_port(manifest, kind, name, [e for own in edges for e in own if e.name == name]) for name in names)


def _port(manifest: Manifest, kind: str, name: str, edges: Sequence[EdgeEntry]) -> Port:
    dtypes = {"float32" if edge.scale is not None else edge.dtype for edge in edges}
    shapes = [edge.shape for edge in edges if edge.shape is not None]
    sizes = [{size for size in sizes if size >= 0} for sizes in zip(*shapes, strict=False)]
    if len(dtypes) > 1 or len({len(shape) for shape in shapes}) != 1 or any(len(found) > 1 for found in sizes):
        seen = sorted({f"{edge.dtype}{list(edge.shape or ())}" for edge in edges})
        raise TargetError(
            f"{manifest.target}: {kind} {name!r} is {' here and '.join(seen)} there; give it a shape in the target"
        )
    how = manifest.preprocessing.get(name)
    return Port(
        name=name,
        dtype=dtypes.pop(),
        shape=tuple(found.pop() if found else -1 for found in sizes),
        preprocessing=None if how is None or how.folded or kind == "output" else how,
        labels=manifest.labels.get(name, ()) if kind == "output" else (),
    )


def _variant(entry: ArtifactEntry, inputs: Sequence[Port], outputs: Sequence[Port]) -> Variant:
    own = {edge.name: edge for edge in (*entry.inputs, *entry.outputs)}
    return Variant(
        name=entry.name,
        file=entry.file,
        format=entry.format,
        precision=entry.precision,
        sha256=entry.sha256,
        bytes=entry.bytes,
        inputs=tuple(own[port.name] for port in inputs),
        outputs=tuple(own[port.name] for port in outputs),
    )
