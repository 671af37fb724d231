"""On which devices the files of a target are run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mobile_export.devices import DEVICES, device_named
from mobile_export.devices.cores import CORES
from mobile_export.errors import TargetError
from mobile_export.published.manifest import Manifest
from mobile_export.target import Artifact, Choices, Target
from mobile_export.target.choices import one_device


@dataclass(frozen=True)
class Overrides:
    """What the command line says instead of the target file.

    Attributes:
        runs_on: devices, instead of the target's own; what an artifact says of itself stays. None: as the target says.
        skip_device: nothing is run on devices, and the manifest is marked.
    """

    runs_on: tuple[str, ...] | None = None
    skip_device: bool = False

    def check(self, known: Choices) -> None:
        """See that there are such devices.

        Raises:
            TargetError: there is no device of such a name, or one is named twice.
        """
        for name in self.runs_on or ():
            try:
                one_device(name, known)
            except ValueError as error:
                raise TargetError(f"--runs-on: {error}") from error
            if (self.runs_on or ()).count(name) > 1:
                raise TargetError(f"--runs-on: {name} is named more than once; name it once")

    def of(self, target: Target) -> Target:
        """The target as it is built."""
        changed = {} if self.runs_on is None else {"runs_on": self.runs_on}
        skipped = {"device": target.device.model_copy(update={"skip": True})} if self.skip_device else {}
        return target.model_copy(update=changed | skipped)


NO_OVERRIDES = Overrides()


def device_names() -> tuple[str, ...]:
    """Every device that a target may name."""
    return tuple(name for kind in DEVICES.values() for name in kind.names)


def by_hand() -> tuple[str, ...]:
    """Kinds of devices that no target may name."""
    return tuple(kind for kind, unit in DEVICES.items() if not unit.names)


def devices_of(target: Target, artifact: Artifact) -> tuple[str, ...]:
    """The devices on which an artifact is run: those that it names, or else those of the target that run its format."""
    if artifact.runs_on is not None:
        return artifact.runs_on
    return tuple(name for name in target.runs_on if artifact.format in formats_on(name))


def formats_on(device: str) -> Sequence[str]:
    """The formats that a device runs."""
    return device_named(device).formats


def device_problems(target: Target, artifact: Artifact) -> Iterator[str]:
    """What an artifact asks of devices, and cannot have of a target as it is built."""
    for name in artifact.runs_on or ():
        if artifact.format not in formats_on(name):
            yield f"runs_on: {name} runs {', '.join(formats_on(name))}, not {artifact.format}; leave it out"
    if artifact.limits.device_difference is not None and not devices_of(target, artifact):
        yield "limits.device_difference: it is run on no device; add runs_on, say --runs-on, or leave the limit out"


def left_out(target: Target) -> Iterator[str]:
    """What the target's devices do not run of it, unless all are skipped; a sentence for those of the same formats."""
    if target.device.skip:
        return
    inherit = [artifact for artifact in target.artifacts if artifact.runs_on is None]
    alike: dict[tuple[str, ...], list[str]] = {}
    for name in target.runs_on:
        alike.setdefault(tuple(formats_on(name)), []).append(name)
    for formats, names in alike.items():
        left = [artifact for artifact in inherit if artifact.format not in formats]
        if left:
            are, where, own = ("is", "the artifact", "its") if len(left) == 1 else ("are", "these artifacts", "their")
            run = "runs" if len(names) == 1 else "run"
            elsewhere = any(devices_of(target, artifact) for artifact in left)
            way = f"give {where} {own} own runs_on" if elsewhere else f"say runs_on = [] in {where}"
            said = _listed([f"{artifact.name} ({artifact.format})" for artifact in left])
            yield f"{said} {are} not run on {_listed(names)}, which {run} {_listed(formats)}; {way}"


def core_lines(manifest: Manifest) -> Iterator[str]:
    """What the emulated cores can do on which operators are at fault: facts, which need not be the reason."""
    found = [device for entry in manifest.artifacts for device in entry.devices if device.operators]
    for core in CORES.values():
        if any(device.runtime.endswith(f" as {core.name}") for device in found):
            yield f"{core.name} has {', '.join(core.abilities) or 'nothing beyond Advanced SIMD'}"


def _listed(names: Sequence[str]) -> str:
    """`tflite, onnx and ort`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
