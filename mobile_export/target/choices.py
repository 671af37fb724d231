"""The units that a target may name, and what is said of names that there are not."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationInfo


@dataclass(frozen=True)
class Choices:
    """The units that a target may name: what the package's registries hold.

    Attributes:
        formats: each format's precisions, and each precision's interfaces, the default first.
        metrics: each metric's parameters.
        data_checks: names of checks of the data.
        schemes: of each format whose layers may differ: what `layers`, `ranges` and `weights` may say.
        transforms: each transform's parameters.
        transform_files: those of them that name files.
        runtimes: files that list the kernels of a phone's TensorFlow, by their names.
        devices: names of devices on which files are run.
        by_hand: kinds of devices that a target cannot name, and `run --device` can.
    """

    formats: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    metrics: Mapping[str, Sequence[str]] = field(default_factory=dict)
    data_checks: Sequence[str] = ()
    schemes: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    transforms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    transform_files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    runtimes: Mapping[str, Path] = field(default_factory=dict)
    devices: Sequence[str] = ()
    by_hand: Sequence[str] = ()


def choices_of(info: ValidationInfo) -> Choices:
    """What validation was told with `context={"choices": …}`."""
    choices = (info.context or {}).get("choices")
    return choices if isinstance(choices, Choices) else Choices()


def one_of(value: str, allowed: Sequence[str]) -> str:
    """The value, where it is allowed; anything is where nothing is known.

    Raises:
        ValueError: it is not; says what is.
    """
    if allowed and value not in allowed:
        raise ValueError(f"{value!r} is not known{near(value, allowed)}; allowed: {', '.join(allowed)}")
    return value


def one_device(name: str, choices: Choices) -> str:
    """The name of a device, where a target may name it.

    Raises:
        ValueError: it may not; says what it may.
    """
    known, kind = choices.devices, name.partition(":")[0]
    if not known or name in known:
        return name
    allowed = _listed(known)
    if kind in choices.by_hand:
        raise ValueError(f"{kind} is only for run --device; allowed: {allowed}")
    if any(each.startswith(f"{name}:") for each in known):
        raise ValueError(f"{name!r} is a kind of devices; name one of them: {allowed}")
    meant = [each for each in known if "max" not in each.split(":")]  # which no phone has
    raise ValueError(f"{name!r} is not known{near(name, meant)}; allowed: {allowed}")


def _listed(devices: Sequence[str]) -> str:
    """Their names; those that there are with other kernels, too, once."""
    twice = [f"{device}:builtin" for device in devices if f"{device}:builtin" in devices]
    also = ", each also with :builtin" if 2 * len(twice) == len(devices) else ""
    return ", ".join(device for device in devices if not (also and device in twice)) + also


def near(value: str, allowed: Sequence[str]) -> str:
    """` (did you mean 'tflite'?)`, or nothing."""
    found = difflib.get_close_matches(value, allowed, n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""
