"""Time of builds with little or nothing to do, beside what Python itself and `import tensorflow` take.

    python benchmarks/unchanged.py TARGET --artifact NAME

The target is built once into a folder of its own, with a cache of its own. Then each of these is run several times, as
a person runs it, and the quickest is printed as JSON: seconds of wall time, seconds of CPU (of the command itself,
without its workers; on a busy machine the number to look at), and each as a multiple of a bare start of Python:

    unchanged       nothing was changed since
    touched         the model's files have a new date, and the same bytes
    not_recorded    nothing was changed, and the record of the last build is gone
    restored        the output folder is gone
    one_artifact    a limit of one artifact was changed: that one alone is built
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

RUNS = 5


def quickest(command: list[str], environment: dict[str, str], before: Callable[[], object]) -> tuple[float, float]:
    """The least wall time and the mean CPU time of a command, in seconds; `before` is called before each run."""
    wall, cpu = [], 0.0
    for _ in range(RUNS):
        before()
        begun, spent = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, env=environment, capture_output=True)  # noqa: S603
        wall.append(time.perf_counter() - begun)
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu += now.ru_utime + now.ru_stime - spent.ru_utime - spent.ru_stime
    return min(wall), cpu / RUNS


def limit(target: Path, artifact: str, sizes: list[int]) -> None:
    """Give the artifact another limit than it had, which it holds."""
    text = re.sub(r"\nlimits = .*# benchmark\n", "\n", target.read_text())
    sizes.append(10**9 + len(sizes))
    name = f'name = "{artifact}"\n'
    head, _, tail = text.partition(name)
    tail = re.sub(r"^limits = .*\n", "", tail, count=1, flags=re.MULTILINE)
    target.write_text(f"{head}{name}limits = {{ size = {sizes[-1]} }}  # benchmark\n{tail}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=Path, help="a target file; a copy is made beside it")
    parser.add_argument("--artifact", required=True, help="the one that is changed")
    arguments = parser.parse_args()

    copy = arguments.target.with_name(f"benchmark_{arguments.target.name}")
    with tempfile.TemporaryDirectory() as work:
        out, cache = Path(work, "out"), Path(work, "cache")
        environment = os.environ | {"MOBILE_EXPORT_CACHE": str(cache)}
        build = [sys.executable, "-m", "mobile_export", "build", str(copy), "--out", str(out)]
        shutil.copy(arguments.target, copy)
        try:
            subprocess.run(build, check=True, env=environment, capture_output=True)  # noqa: S603
            inputs = subprocess.run(  # noqa: S603
                [*build, "--print-inputs"], check=True, env=environment, capture_output=True, text=True
            ).stdout.splitlines()
            sizes: list[int] = []
            time.sleep(3)  # until no file counts as just written
            subprocess.run(build, check=True, env=environment, capture_output=True)  # noqa: S603
            taken = {
                "python": quickest([sys.executable, "-c", "pass"], environment, lambda: None),
                "import_tensorflow": quickest([sys.executable, "-c", "import tensorflow"], environment, lambda: None),
                "unchanged": quickest(build, environment, lambda: None),
                "touched": quickest(build, environment, lambda: [os.utime(path) for path in inputs]),
                "not_recorded": quickest(build, environment, lambda: shutil.rmtree(cache / "builds")),
                "restored": quickest(build, environment, lambda: shutil.rmtree(out)),
                "one_artifact": quickest(build, environment, lambda: limit(copy, arguments.artifact, sizes)),
            }
        finally:
            copy.unlink()
    names, start = ("wall", "cpu"), taken["python"]
    report = {
        name: {kind: [round(s, 3), round(s / one, 1)] for kind, s, one in zip(names, both, start, strict=True)}
        for name, both in taken.items()
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
