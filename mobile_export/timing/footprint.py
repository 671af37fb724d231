"""What the first answer of a file costs an app that has just been started: seconds, and memory.

A process that has run other files tells little of that: threads, packed weights and freed memory are left of them.
So it is measured in processes that are started anew, not forked from one that has everything, and that import the
file's runtime and no other. Several files have them in rounds, so that what slows the machine down slows all alike.
"""

import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from mobile_export.data.preprocess import Recipes
from mobile_export.errors import ConversionError, ModelError
from mobile_export.formats import FORMATS
from mobile_export.samples import Samples, load_samples, save_samples
from mobile_export.timing.feeds import feeds
from mobile_export.timing.result import Cost, File, Footprint, Loads

PROCESSES = 3
"""How many are started for each file; the median counts."""
PATIENCE = 180.0
"""Seconds after which no other round begins."""
SECONDS = 600
"""How long each process may take."""


def footprint(file: File, samples: Path, recipes: Recipes, threads: int = 1, processes: int = PROCESSES) -> Footprint:
    """Load `file` in fresh processes, one after the other, and have it answer once in each.

    To be called in a worker: the file is opened here first, so that all processes find it in the system's cache, and
    what no runtime takes is refused as everywhere. Limits of the worker's memory hold for the processes, too.

    Args:
        samples: an .npz of raw samples, such as `sampling.PARITY` of a work folder; a batch of them is fed.
        recipes: preprocessing that happens outside of the file (`sampling.outside`).

    Raises:
        NotRunnableError: no runtime here can run it.
        ConversionError: its runtime does not load or run it, or a process did not end well.
    """
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as folder:
        fed = _fed(file, load_samples(samples), recipes, Path(folder, "feeds.npz"))
        return _footprint([_cost(file, fed, threads) for _ in range(processes)])


def footprints(
    files: Mapping[str, File],
    samples: Path,
    recipes: Recipes,
    threads: int = 1,
    processes: int = PROCESSES,
    patience: float = PATIENCE,
) -> Loads:
    """The same for several files, in rounds; one that fails stops no other.

    Args:
        patience: seconds after which no other round begins; each `Footprint` says how many processes it had.
    """
    drawn, found = load_samples(samples), Loads()
    fed: dict[str, Path] = {}
    costs: dict[str, list[Cost]] = {name: [] for name in files}
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as folder:
        began = time.monotonic()
        for number in range(processes):
            if number and time.monotonic() - began > patience:
                break
            for name in (name for name in files if name not in found.failed):
                try:
                    if name not in fed:
                        fed[name] = _fed(files[name], drawn, recipes, Path(folder, f"{len(fed)}.npz"))
                    costs[name].append(_cost(files[name], fed[name], threads))
                except (ConversionError, ModelError) as error:
                    found.failed[name] = str(error)
    found.footprints.update({name: _footprint(costs[name]) for name in files if name not in found.failed})
    return found


def _footprint(costs: Sequence[Cost]) -> Footprint:
    return Footprint(
        first_answer=median(cost.seconds for cost in costs),
        resident=round(median(cost.resident for cost in costs)),
        anonymous=round(median(cost.anonymous for cost in costs)),
        processes=len(costs),
    )


def _fed(file: File, samples: Samples, recipes: Recipes, stored: Path) -> Path:
    """Where it is stored what the file takes, once it has answered to it."""
    runner = FORMATS[file.format].open(file.path)
    fed = feeds(runner.inputs, samples, recipes)
    runner(fed)
    del runner
    gc.collect()
    save_samples(stored, fed)
    return stored


def _cost(file: File, fed: Path, threads: int) -> Cost:
    """What one process needs; it ends with this one, at the latest, since its standard input does."""
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as folder:
        result, log = Path(folder, "cost.json"), Path(folder, "log")
        arguments = [file.format, str(file.path.absolute()), str(fed.absolute()), str(threads), str(result)]
        command = [sys.executable, "-P", "-m", "mobile_export.timing.fresh", *arguments]
        with (
            log.open("wb") as said,
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=said) as process,  # noqa: S603
        ):
            try:
                code = process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                raise ConversionError(f"{file.path.name}: no answer after {SECONDS} s in a fresh process") from None
            finally:
                process.kill()
        if code:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            last = lines[-1][:300] if lines else f"it ended with code {code}"
            raise ConversionError(f"{file.path.name}: a fresh process that loads it does not end well: {last}")
        return Cost(**json.loads(result.read_text()))
