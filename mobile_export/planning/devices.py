"""On which devices the files of a target are run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mobile_export.devices import DEVICES, device_named
from mobile_export.errors import TargetError, nearest
from mobile_export.target import Artifact, Target


@dataclass(frozen=True)
class Overrides:
    """What the command line says instead of the target file.

    Attributes:
        runs_on: devices, instead of the target's own; what an artifact says of itself stays. None: as the target says.
        skip_device: nothing is run on devices, and the manifest is marked.
    """

    runs_on: tuple[str, ...] | None = None
    skip_device: bool = False

    def check(self) -> None:
        """See that there are such devices.

        Raises:
            TargetError: there is no device of such a name, or one is named twice.
        """
        known = device_names()
        for name in self.runs_on or ():
            if name not in known:
                raise TargetError(
                    f"--runs-on: {name!r} is not known{nearest(name, known)}; allowed: {', '.join(known)}"
                )
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


def devices_of(target: Target, artifact: Artifact) -> tuple[str, ...]:
    """The devices on which an artifact is run: those that it names, or else those of the target that run its format."""
    if artifact.runs_on is not None:
        return artifact.runs_on
    return tuple(name for name in target.runs_on if artifact.format in formats_on(name))


def formats_on(device: str) -> Sequence[str]:
    """The formats that a device runs."""
    return device_named(device).formats


def device_problems(artifact: Artifact) -> Iterator[str]:
    """What an artifact asks of devices, and cannot have."""
    for name in artifact.runs_on or ():
        if artifact.format not in formats_on(name):
            yield f"runs_on: {name} runs {', '.join(formats_on(name))}, not {artifact.format}; leave it out"
    limited = artifact.limits.device_difference is not None  # --runs-on may bring the devices
    if limited and (artifact.runs_on == () or not any(artifact.format in formats_on(name) for name in device_names())):
        yield "limits.device_difference: it is run on no device; add runs_on, or leave the limit out"


def left_out(target: Target) -> Iterator[str]:
    """What the target's devices do not run of it: a sentence for those that run the same formats."""
    inherit = [artifact for artifact in target.artifacts if artifact.runs_on is None]
    alike: dict[tuple[str, ...], list[str]] = {}
    for name in target.runs_on:
        alike.setdefault(tuple(formats_on(name)), []).append(name)
    for formats, names in alike.items():
        left = [f"{artifact.name} ({artifact.format})" for artifact in inherit if artifact.format not in formats]
        if left:
            are, run = "is" if len(left) == 1 else "are", "runs" if len(names) == 1 else "run"
            yield f"{_listed(left)} {are} not run on {_listed(names)}, which {run} {_listed(formats)}"


def _listed(names: Sequence[str]) -> str:
    """`tflite, onnx and ort`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
