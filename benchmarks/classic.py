"""The classic tools beside the originals that TensorFlow's wheel holds: time, memory, and whether results agree.

    python -m benchmarks.classic [--megabytes 97] [--runs 3]

All are whole processes, from a file to a file, and take turns; of the originals, that includes importing TensorFlow.
freeze_graph and optimize_for_inference are run as their own command lines. The Graph Transform Tool is C++ without a
command line in the wheel: a process reads the file, calls it, and writes what it returns. Each tool's two results are
held against each other, node by node and bit by bit, and by what they answer.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.checkpoint import CLASSES, make_checkpoint
from benchmarks.harness import PYTHON, Run, apart, measure, peaks_and_times
from benchmarks.result import RESULTS, Result, Row, compared, result
from benchmarks.table import show
from mobile_export.graph_files.graph_file import read_graph
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.runner import run_samples
from mobile_export.samples import Samples
from mobile_export.session import Session
from mobile_export.transforms import relative_difference

OURS, ORIGINAL = "mobile-export", "original"
SIDE = 96
FOLD = "strip_unused_nodes fold_constants fold_batch_norms fold_old_batch_norms round_weights"

_GRAPH_TRANSFORM_TOOL = """
import sys
from pathlib import Path
from tensorflow.python.util import _pywrap_transform_graph as tool
source, transforms, result = (word.removeprefix("--out_graph=") for word in sys.argv[1:])
made = tool.TransformGraphWithStringInputs(Path(source).read_bytes(), b"input", b"output", transforms.encode())
Path(result).write_bytes(made)
"""


@dataclass(frozen=True)
class Tool:
    """One tool's job on both sides, each a command without the file that it writes."""

    name: str
    ours: Sequence[str | Path]
    original: Sequence[str | Path]
    result_flag: str = "--output"

    def commands(self, folder: Path) -> dict[str, tuple[list[str | Path], Path]]:
        """By side: the whole command, and what it writes."""
        files = {side: folder / f"{side}.pb" for side in (OURS, ORIGINAL)}
        ours = [PYTHON, "-m", "mobile_export", *self.ours, f"{self.result_flag}={files[OURS]}"]
        last = f"{self.result_flag}={files[ORIGINAL]}"
        return {OURS: (ours, files[OURS]), ORIGINAL: ([PYTHON, *self.original, last], files[ORIGINAL])}


def freeze(checkpoint: Path) -> Tool:
    """freeze_graph, with the checkpoint's own meta graph."""
    flags = (
        f"--input_meta_graph={checkpoint}.meta",
        f"--input_checkpoint={checkpoint}",
        "--output_node_names=output",
        "--input_binary=true",
    )
    original = ("-m", "tensorflow.python.tools.freeze_graph", *flags)
    return Tool("freeze_graph", ("freeze-graph", *flags), original, "--output_graph")


def optimize(frozen: Path) -> Tool:
    """optimize_for_inference."""
    flags = (f"--input={frozen}", "--input_names=input", "--output_names=output")
    original = ("-m", "tensorflow.python.tools.optimize_for_inference", *flags)
    return Tool("optimize_for_inference", ("optimize-for-inference", *flags), original)


def transform(frozen: Path, name: str, transforms: str) -> Tool:
    """transform_graph, whose original has no flags."""
    flags = (f"--in_graph={frozen}", "--inputs=input", "--outputs=output", f"--transforms={transforms}")
    original = ("-c", _GRAPH_TRANSFORM_TOOL, str(frozen), transforms)
    return Tool(f"transform_graph, {name}", ("transform-graph", *flags), original, "--out_graph")


def agreement(ours: Path, original: Path, samples: Samples) -> str:
    """In words: the same nodes and bits, or how far the answers are apart."""
    first, second = (_graph(path, samples) for path in (ours, original))
    if first.nodes == second.nodes and _same_bits(first, second):
        return "same nodes and bits"
    with Session(first) as mine, Session(second) as theirs:
        answers = [run_samples(session, samples)["output"] for session in (mine, theirs)]
    apart = relative_difference(answers[1], answers[0])
    return "same answers" if apart == 0 else f"answers differ by {apart:.1e} of their magnitude"


def _same_bits(first: Graph, second: Graph) -> bool:
    return first.constants.keys() == second.constants.keys() and all(
        np.array_equal(values, second.constants[name]) for name, values in first.constants.items()
    )


def _graph(path: Path, samples: Samples) -> Graph:
    graph = read_graph(path).graph
    graph.inputs = (TensorSpec("input", "input:0", "float32", (1, *samples["input"].shape[1:])),)
    graph.outputs = (TensorSpec("output", "output:0", "float32", (1, CLASSES)),)
    return graph


def rows(tool: Tool, folder: Path, samples: Samples, runs: int) -> list[Row]:
    """What one tool took on both sides."""
    commands = tool.commands(folder)
    peaks, times = peaks_and_times({side: partial(_run, command) for side, (command, _) in commands.items()}, runs)
    agreed = apart(agreement, commands[OURS][1], commands[ORIGINAL][1], samples)
    return [
        compared(tool.name, times, "seconds", (ORIGINAL, OURS), group="Wall time", note=agreed),
        compared(tool.name, peaks, "peak_bytes", (OURS, ORIGINAL), group="Peak memory"),
    ]


def _run(command: Sequence[str | Path], memory: bool) -> Run:
    return measure(command, memory=memory)


def classic(folder: Path, megabytes: float, runs: int, side: int = SIDE) -> Result:
    """Measure all tools."""
    make_checkpoint(folder, megabytes, side, samples=2)
    with np.load(folder / "samples.npz") as file:
        samples = {"input": file["input"]}
    checkpoint, frozen = folder / "model.ckpt", folder / "frozen.pb"
    first = freeze(checkpoint)
    found = rows(first, folder, samples, runs)
    first.commands(folder)[OURS][1].rename(frozen)
    tools = (
        optimize(frozen),
        transform(frozen, "fold and round", FOLD),
        transform(frozen, "quantize_weights", "quantize_weights"),
    )
    found += [row for tool in tools for row in rows(tool, folder, samples, runs)]
    return result(
        "classic",
        "Classic tools",
        f"Graph tools as TensorFlow 1 had them, on a network of {megabytes:g} MB, beside the originals that "
        "TensorFlow's wheel still holds. All are whole processes, from file to file.",
        sorted(found, key=lambda row: row.group, reverse=True),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=97)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--to", type=Path, default=RESULTS / "classic.json", help="where the result goes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = classic(Path(folder), given.megabytes, given.runs)
    found.save(given.to)
    show(found)


if __name__ == "__main__":
    main()
