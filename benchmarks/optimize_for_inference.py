"""optimize-for-inference, the whole command, beside TensorFlow's function alone, on one graph.

    python -m benchmarks.optimize_for_inference [--graph frozen.pb --inputs input --outputs output]

Ours is timed from Python's start to its end: reading, optimizing, writing, and the zipped sizes that it prints. Of
TensorFlow's own tool only the call counts, on a graph that is in memory already. Both results are compared node by node
and bit by bit. Without --graph, a graph of convolutions and batch norms is made, of --megabytes of weights.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.transform_graph import make, measure
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import GraphDef


def original(source: Path, inputs: list[str], outputs: list[str]) -> tuple[float, Graph]:
    """Seconds of TensorFlow's call, and its result."""
    from tensorflow.core.framework import graph_pb2
    from tensorflow.python.tools import optimize_for_inference_lib

    graph = graph_pb2.GraphDef.FromString(source.read_bytes())
    start = time.perf_counter()
    made = optimize_for_inference_lib.optimize_for_inference(graph, inputs, outputs, 1)  # 1: float32
    return time.perf_counter() - start, Graph.from_graph_def(made)


def same(ours: Graph, theirs: Graph) -> bool:
    """Whether both have the same nodes, in any order, and the same bits."""
    return (
        ours.nodes == theirs.nodes
        and ours.constants.keys() == theirs.constants.keys()
        and all(np.array_equal(array, theirs.constants[name]) for name, array in ours.constants.items())
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=97.0)
    parser.add_argument("--graph", type=Path)
    parser.add_argument("--inputs", default="input")
    parser.add_argument("--outputs", default="output")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--ours-only", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "graph.pb"), Path(folder, "optimized.pb")
        if arguments.graph:
            source.symlink_to(arguments.graph.resolve())
        else:
            make(source, arguments.megabytes)
        flags = (f"-input={source}", f"-output={result}")
        names = (f"-input_names={arguments.inputs}", f"-output_names={arguments.outputs}")
        command = [sys.executable, "-m", "mobile_export", "optimize-for-inference", *flags, *names]
        turns = [measure(command) for _ in range(arguments.times)]
        wall = statistics.median(seconds for seconds, _, _ in turns)
        report: dict[str, object] = {
            "file, MB": round(source.stat().st_size / 1e6, 1),
            "ours, whole command, s": round(wall, 2),
            "ours, peak MB": round(statistics.median(peak for _, peak, _ in turns)),
        }
        if not arguments.ours_only:
            seconds, theirs = original(source, arguments.inputs.split(","), arguments.outputs.split(","))
            ours = Graph.from_graph_def(GraphDef.FromString(result.read_bytes()))
            report |= {
                "TensorFlow's call alone, s": round(seconds, 1),
                "ratio": round(seconds / wall, 1),
                "same nodes and bits": same(ours, theirs),
            }
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
