"""What has to be done for the files of a target, and what of it needs what else.

    convert, for a format ──┬──────────────────▶ quantize ──▶ time, alone ──▶ check
                            └──▶ calibrate ────▶ quantize ──▶ …
    refer ──────────────────────▶ calibrate, and every check
    write, for a format that does not quantize ──────────────────────────────▶ check
    each file that is written, and refer ────────────────────────────────────▶ run on a device, for each of them

Costs are about seconds for 100 MB of weights, memory is in multiples of the weights, as measured. Both decide only what
comes first, and what not at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mobile_export.errors import ExportError
from mobile_export.formats import QUANTIZABLE
from mobile_export.formats.format import calibrated_requests
from mobile_export.pipeline import calibrate, convert, measure, measure_latency, quantize, refer, run_on, write
from mobile_export.planning.devices import devices_of
from mobile_export.planning.plan import Plan, request_for
from mobile_export.scheduling import Task
from mobile_export.target import Artifact

_FLOAT = ("float32", "float16")
"""Precisions of which runtimes compute in float: that takes twice as long as in integers."""


@dataclass(frozen=True)
class Steps:
    """The tasks that make the files of one target, and those that they need before them.

    Attributes:
        work: the work folder, with what `prepare` has left.
        frozen_size: bytes of the optimized float graph.
        files: where each artifact goes, by its name.
        tolerated: what may go wrong with one artifact without stopping the others.
    """

    planned: Plan
    work: Path
    frozen_size: int
    files: Mapping[str, Path]
    tolerated: tuple[type[ExportError], ...] = ()
    tasks: list[Task] = field(default_factory=list)

    def refer(self) -> Task:
        """Run the reference, check the data; gives findings."""
        return self._add("run the reference, check the data", (2.0, 3.0), refer, self.planned.target, self.work)

    def write(self, artifacts: Sequence[Artifact], referred: Sequence[Task]) -> dict[str, Task]:
        """Write files of whatever formats, by artifact; each gives what has quantized the file."""
        written: dict[str, Task] = {}
        for name in dict.fromkeys(artifact.format for artifact in artifacts):
            same = [artifact for artifact in artifacts if artifact.format == name]
            if name in QUANTIZABLE:
                written |= self._quantized(name, same, referred)
            else:
                written |= {artifact.name: self._plain(artifact) for artifact in same}
        return written

    def time(self, artifact: Artifact, after: Sequence[Task]) -> Task:
        """Measure the latency ratio of a file, with nothing else at work."""
        arguments = (self.planned.target, artifact, self.files[artifact.name], self.work)
        return self._add(f"time {artifact.name}", (1.0, 3.0), measure_latency, *arguments, after=after, alone=True)

    def check(self, artifact: Artifact, latency: Task | float | None, after: Sequence[Task]) -> Task:
        """Measure and judge a file.

        Args:
            latency: its ratio, or what gives it.
        """
        file = self.files[artifact.name]
        arguments = (self.planned.target, artifact, file, self.frozen_size, self.work, latency)
        cost = 1.7 if artifact.precision in _FLOAT else 0.7
        return self._add(f"check {artifact.name}", (cost, 4.5), measure, *arguments, after=after)

    def run_on_devices(self, artifact: Artifact, after: Sequence[Task]) -> list[Task]:
        """Run a file on each of its devices, and compare; an emulator takes its time."""
        devices = () if self.planned.target.device.skip else devices_of(self.planned.target, artifact)
        cost = 30.0 if artifact.precision in _FLOAT else 6.0
        file = self.files[artifact.name]
        return [
            self._add(
                f"run {artifact.name} on {device}",
                (cost, 8.0),
                *(run_on, self.planned.target, artifact, file, device, self.work),
                after=after,
            )
            for device in devices
        ]

    def _quantized(self, name: str, artifacts: Sequence[Artifact], referred: Sequence[Task]) -> dict[str, Task]:
        """Files that are made of one float model; it is not calibrated on data that was not found right."""
        shared = self.work / f"{self.planned.target.name}.{name}.shared"
        requests = {a.name: request_for(a, self.files[a.name], self.planned.about) for a in artifacts}
        calibrated = calibrated_requests(QUANTIZABLE[name], list(requests.values()))
        converted = self._add(f"convert to {name}", (1.3, 7.0), convert, name, self.work, shared, [*requests.values()])
        if calibrated:
            paths = (name, self.work, shared)
            ranges = self._add(
                f"calibrate {name}", (2.0, 5.0), calibrate, *paths, calibrated, after=(converted, *referred)
            )
        written = {}
        for artifact, request in requests.items():
            after = ranges if request in calibrated else converted
            paths = (name, self.work, shared)
            written[artifact] = self._add(f"write {artifact}", (0.5, 5.0), quantize, *paths, request, after=(after,))
        return written

    def _plain(self, artifact: Artifact) -> Task:
        request = request_for(artifact, self.files[artifact.name], self.planned.about)
        arguments = (artifact.format, self.work, [request], artifact.kernels)
        return self._add(f"write {artifact.name}", (0.2, 2.0), write, *arguments)

    def _add(
        self,
        what: str,
        weight: tuple[float, float],
        function: Callable[..., Any],
        *arguments: Any,
        after: Sequence[Task] = (),
        alone: bool = False,
    ) -> Task:
        """Put a task behind the others.

        Args:
            weight: its cost, and its memory over the size of the weights.
        """
        cost, memory = weight
        task = Task(
            f"{self.planned.target.name}: {what}",
            function,
            arguments,
            after=tuple(after),
            cost=cost,
            memory=int(memory * self.frozen_size),
            alone=alone,
            tolerated=() if function is refer else self.tolerated,
        )
        self.tasks.append(task)
        return task
