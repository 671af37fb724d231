"""A process of its own, in which a file is loaded and answers once; see `footprint`.

    python -m mobile_export.timing.fresh FORMAT PATH FEEDS THREADS RESULT

FEEDS is an .npz of what the file takes; a `Cost` is written to RESULT, as JSON. The process ends itself as soon as its
standard input does: whoever has started it is gone then.
"""

import dataclasses
import gc
import json
import os
import sys
import threading
import time
from pathlib import Path

from mobile_export.formats import FORMATS
from mobile_export.formats.runtimes import RUNTIMES
from mobile_export.samples import load_samples
from mobile_export.session import import_tensorflow
from mobile_export.timing.result import Cost
from mobile_export.tools import import_tool


def main(arguments: list[str]) -> None:
    """Measure, and write what was found."""
    name, path, fed, threads, result = arguments
    threading.Thread(target=_end_with_input, daemon=True).start()
    cost = measure(name, Path(path), Path(fed), int(threads))
    Path(result).write_text(json.dumps(dataclasses.asdict(cost)))


def measure(format_name: str, path: Path, fed: Path, threads: int) -> Cost:
    """The cost of a file's first answer in this process, which has loaded none yet."""
    form, values = FORMATS[format_name], load_samples(fed)
    if form.runtime == "TensorFlow":
        import_tensorflow()
    for module in RUNTIMES[form.runtime].modules:
        import_tool(module)
    gc.collect()
    before, started = memory(), time.perf_counter()
    runner = form.open(path, threads=threads)
    runner(values)
    seconds, after = time.perf_counter() - started, memory()
    return Cost(seconds, *(now - then for now, then in zip(after, before, strict=True)))


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 1):  # not through sys.stdin, whose lock Python wants when it ends
        pass
    os._exit(1)


def memory() -> tuple[int, int]:
    """Bytes of this process's memory that are resident, and those of them that no file backs.

    Where the system does not tell these, as Linux does, they are those that no other process shares.
    """
    rollup = Path("/proc/self/smaps_rollup")  # counted page by page; the counters of /proc/self/status lag behind
    if rollup.exists():
        lines = rollup.read_text().splitlines()[1:]
        sizes = {key: 1024 * int(size.split()[0]) for key, _, size in (line.partition(":") for line in lines)}
        return sizes["Rss"], sizes["Anonymous"]
    used = import_tool("psutil").Process().memory_full_info()
    return used.rss, used.uss


if __name__ == "__main__":
    main(sys.argv[1:])
