"""Anonymous memory and time of loading one graph, plain and memory-mapped, in TensorFlow's C++ as phones have it.

    python -m benchmarks.memory_mapping [--graph frozen.pb --input input --dims 1,96,96,3 --output output]

Each file is loaded by a fresh process of the program that the tests compile over TensorFlow's own MemmappedEnv; the
graph's own constants as they are, and with quantize_weights, which is also mapped as the classic converter did it
(--classic: its quantized constants stay in the graph). Anonymous memory is what the system cannot drop and read again
from the file; what mapped pages weigh while they are in use is not in it. Without --graph, one of as many megabytes of
convolutions is made.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.transform_graph import make
from mobile_export.classic.convert_memmapped import ConvertMemmapped, convert_memmapped
from mobile_export.classic.transform_graph import TransformGraph, transform_graph
from tests.native.memmapped_env import Ran, build, run


def convert(source: Path, classic: bool = False) -> Path:
    """Map the graph in `source`."""
    target = source.with_suffix(".classic.mmpb" if classic else ".mmpb")
    convert_memmapped(ConvertMemmapped(in_graph=str(source), out_graph=str(target), classic=classic))
    return target


def quantize(source: Path, node: str, output: str) -> Path:
    """Store the weights of the graph in `source` in eight bits."""
    target = source.with_name("quantized.pb")
    flags = {"in_graph": str(source), "out_graph": str(target), "inputs": node, "outputs": output}
    transform_graph(TransformGraph(**flags, transforms="quantize_weights"))
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=97.0)
    parser.add_argument("--graph", type=Path)
    parser.add_argument("--input", default="input")
    parser.add_argument("--dims", default="1,16,16,256")
    parser.add_argument("--output", default="output")
    arguments = parser.parse_args()
    dims = [int(size) for size in arguments.dims.split(",")]
    image = np.random.default_rng(0).random(dims, np.float32)
    with tempfile.TemporaryDirectory() as folder:
        program, source = build(Path(folder)), Path(folder, "graph.pb")
        if arguments.graph:
            source.symlink_to(arguments.graph.resolve())
        else:
            make(source, arguments.megabytes)
        quantized = quantize(source, arguments.input, arguments.output)
        groups = [
            {"plain": source, "mapped": convert(source)},
            {
                "quantize_weights": quantized,
                "quantize_weights, mapped": convert(quantized),
                "quantize_weights, mapped, --classic": convert(quantized, classic=True),
            },
        ]
        report: dict[str, dict[str, float]] = {}
        for files in groups:
            rans = {
                name: run(program, file, (arguments.input, image), arguments.output) for name, file in files.items()
            }
            first = next(iter(rans.values()))
            for name, ran in rans.items():
                if not np.array_equal(ran.output, first.output):
                    raise SystemExit(f"{name}: another answer than that of the plain graph")
                report[name] = measured(files[name], ran, first)
        print(json.dumps(report, indent=2))


def measured(file: Path, ran: Ran, plain: Ran) -> dict[str, float]:
    """Megabytes and milliseconds."""
    return {
        "file, MB": round(file.stat().st_size / 1e6, 1),
        "anonymous after load, MB": round(ran.load_bytes / 1e6, 2),
        "anonymous after a run, MB": round(ran.run_bytes / 1e6, 2),
        "of the plain graph's": round(ran.load_bytes / plain.load_bytes, 3),
        "of the plain graph's, after a run": round(ran.run_bytes / plain.run_bytes, 3),
        "load, ms": round(ran.load_ms, 1),
        "first run, ms": round(ran.run_ms, 1),
    }


if __name__ == "__main__":
    main()
