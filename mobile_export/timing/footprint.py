"""What the first answer of a file costs an app that has just been started: seconds, and memory.

A process that has run other files tells little of that: threads, packed weights and freed memory are left of them.
So it is measured in processes that are started anew, not forked from one that has everything, and that import the
file's runtime and no other.
"""

import gc
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from mobile_export.data.preprocess import Recipes
from mobile_export.errors import ConversionError
from mobile_export.formats import FORMATS
from mobile_export.samples import Samples, load_samples, save_samples
from mobile_export.timing.feeds import feeds
from mobile_export.timing.result import Cost, File, Footprint

PROCESSES = 3
"""How many are started; the median counts."""
SECONDS = 600
"""How long each may take."""


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
    fed = _answered(file, load_samples(samples), recipes)
    gc.collect()
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as folder:
        stored = Path(folder, "feeds.npz")
        save_samples(stored, fed)
        costs = [_cost(file, stored, threads) for _ in range(processes)]
    return Footprint(
        first_answer=median(cost.seconds for cost in costs),
        resident=round(median(cost.resident for cost in costs)),
        anonymous=round(median(cost.anonymous for cost in costs)),
        processes=processes,
    )


def _answered(file: File, samples: Samples, recipes: Recipes) -> Samples:
    """What the file takes, once it has answered to it."""
    runner = FORMATS[file.format].open(file.path)
    fed = feeds(runner.inputs, samples, recipes)
    runner(fed)
    return fed


def _cost(file: File, fed: Path, threads: int) -> Cost:
    arguments = [file.format, str(file.path.absolute()), str(fed), str(threads), str(SECONDS)]
    command = [sys.executable, "-P", "-m", "mobile_export.timing.fresh", *arguments]
    try:
        ended = subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ConversionError(f"{file.path.name}: no answer after {SECONDS} s in a fresh process") from None
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or [f"it ended with code {ended.returncode}"]
        raise ConversionError(f"{file.path.name}: a fresh process that loads it does not end well: {said[-1][:300]}")
    return Cost(**json.loads(ended.stdout.splitlines()[-1]))
