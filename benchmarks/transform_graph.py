"""transform-graph beside the original C++ that TensorFlow's wheel holds: time and memory, on one graph, in turns.

    python -m benchmarks.transform_graph --megabytes 97 [--graph frozen.pb --inputs input --outputs output]

Ours is the whole command: Python's start, reading, transforming, writing, and the zipped sizes that it prints. The
original is a process that reads the file, calls the C++ and writes the result. The work alone is timed, too: of the
original its call, from bytes to bytes; of ours what lies between the two files. Memory is the largest resident set of
the process; what TensorFlow has resident after its import alone is given, too. Without --graph, a graph of convolutions
and batch norms is made, of as many megabytes of weights. With --ours-only, for sizes that the original is not run on.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mobile_export.graph_files.graph_def import write_graph_def
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import write_shape

RECIPES = {
    "classic": "strip_unused_nodes fold_constants fold_batch_norms fold_old_batch_norms round_weights",
    "quantize_weights": "quantize_weights",
}

_ORIGINAL = """
import json, resource, sys, time
from tensorflow.python.util import _pywrap_transform_graph as tool
imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
source, result, inputs, outputs, transforms = sys.argv[1:]
with open(source, "rb") as file:
    graph = file.read()
start = time.perf_counter()
made = tool.TransformGraphWithStringInputs(graph, inputs.encode(), outputs.encode(), transforms.encode())
seconds = time.perf_counter() - start
with open(result, "wb") as file:
    file.write(made)
print(json.dumps({"call": seconds, "imported": imported / 1024}))
"""


_OURS = """
import json, sys, time
from mobile_export.classic.files import read_graph, write_graph
from mobile_export.graph_transform_tool.run import transform
from mobile_export.transform_string import parse_calls
source, result, inputs, outputs, transforms = sys.argv[1:]
start = time.perf_counter()
made = transform(read_graph(source, "in"), inputs.split(","), outputs.split(","), parse_calls(transforms))
write_graph(result, "out", made.graph)
print(json.dumps({"call": time.perf_counter() - start}))
"""


def make(path: Path, megabytes: float) -> None:
    """A frozen TF1 graph: convolutions of 3x3x256x256 with read nodes, batch norms and ReLU6, and a classifier."""
    rng, graph, channels = np.random.default_rng(0), Graph(), 256

    def node(name: str, op: str, *inputs: str) -> NodeDef:
        made = graph.nodes[name] = NodeDef(name=name, op=op, input=inputs)
        made.attr["T"].type = 1
        return made

    def variable(name: str, shape: tuple[int, ...], offset: float = 0.0) -> str:
        graph.set_constant(name, (rng.standard_normal(shape, np.float32) * 0.03 + offset).astype(np.float32))
        return node(f"{name}/read", "Identity", name).name

    placeholder = graph.nodes["input"] = NodeDef(name="input", op="Placeholder")
    placeholder.attr["dtype"].type = 1
    write_shape(placeholder.attr["shape"].shape, (-1, 16, 16, channels))
    last, layers = "input", max(1, round(megabytes * 1e6 / (9 * channels * channels * 4)))
    for k in range(layers):
        name = f"layer{k}"
        conv = node(f"{name}/conv", "Conv2D", last, variable(f"{name}/weights", (3, 3, channels, channels)))
        conv.attr["strides"].list.i.extend([1, 1, 1, 1])
        conv.attr["padding"].s = b"SAME"
        around = {"gamma": 1.0, "beta": 0.0, "mean": 0.0, "var": 1.0}  # activations neither grow nor die
        values = [variable(f"{name}/{v}", (channels,), offset) for v, offset in around.items()]
        norm = node(f"{name}/norm", "FusedBatchNorm", conv.name, *values)
        norm.attr["is_training"].b = False
        norm.attr["epsilon"].f = 1e-3
        last = node(f"{name}/relu", "Relu6", norm.name).name
    node("output", "Identity", last)
    with path.open("wb") as file:
        write_graph_def(file, graph)


def measure(command: list[str]) -> tuple[float, float, str]:
    """Wall seconds, largest resident set in MB, and what a command printed."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.DEVNULL)  # noqa: S603  our own words
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        printed.seek(0)
        said = printed.read().decode()
    if process.returncode:
        raise SystemExit(f"{command[:3]} ended with {process.returncode}")
    return seconds, usage.ru_maxrss / 1024, said


def compare(source: Path, inputs: str, outputs: str, transforms: str, times: int, peer: bool) -> dict[str, object]:
    """Medians of `times` turns."""
    ours_path, theirs_path = source.with_suffix(".ours.pb"), source.with_suffix(".theirs.pb")
    flags = {"in_graph": source, "out_graph": ours_path, "inputs": inputs, "outputs": outputs, "transforms": transforms}
    ours = [sys.executable, "-m", "mobile_export", "transform-graph", *(f"--{k}={v}" for k, v in flags.items())]
    theirs = [sys.executable, "-c", _ORIGINAL, str(source), str(theirs_path), inputs, outputs, transforms]
    alone = [sys.executable, "-c", _OURS, str(source), str(ours_path), inputs, outputs, transforms]
    mine, other, calls, imported = [], [], [], 0.0
    for _ in range(times):
        mine.append((*measure([*ours, "--format=json"]), json.loads(measure(alone)[2])["call"]))
        if peer:
            other.append(measure(theirs))
            said = json.loads(other[-1][2].splitlines()[-1])
            calls.append(said["call"])
            imported = said["imported"]
    change = json.loads(mine[-1][2])
    whole, peak, work = (statistics.median(m[k] for m in mine) for k in (0, 1, 3))
    result: dict[str, object] = {
        "bytes": [change["before"]["bytes"], change["after"]["bytes"]],
        "zipped to": round(change["after"]["zipped_bytes"] / change["after"]["bytes"], 3),
        "ours, whole command, s": round(whole, 2),
        "ours, work alone, s": round(work, 2),
        "ours, peak MB": round(peak),
    }
    if peer:
        their_whole, their_peak = (statistics.median(o[k] for o in other) for k in (0, 1))
        result |= {
            "original, whole process, s": round(their_whole, 2),
            "original, call alone, s": round(statistics.median(calls), 2),
            "original, peak MB": round(their_peak),
            "of which TensorFlow's import": round(imported),
            "original / ours, whole": round(their_whole / whole, 2),
            "original / ours, alone": round(statistics.median(calls) / work, 2),
            "our peak / its peak": round(peak / their_peak, 2),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=97.0)
    parser.add_argument("--graph", type=Path)
    parser.add_argument("--inputs", default="input")
    parser.add_argument("--outputs", default="output")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--ours-only", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "graph.pb"
        if arguments.graph:
            source.symlink_to(arguments.graph.resolve())
        else:
            make(source, arguments.megabytes)
        for name, transforms in RECIPES.items():
            found = compare(
                source, arguments.inputs, arguments.outputs, transforms, arguments.times, not arguments.ours_only
            )
            print(json.dumps({name: found}, indent=2), flush=True)


if __name__ == "__main__":
    main()
