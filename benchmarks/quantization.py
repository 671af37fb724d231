"""One more precision of a converted model, beside TensorFlow's converter and ONNX Runtime's quantizers, in one run.

    python -m benchmarks.quantization --megabytes 97 [--samples 16] [--times 3]

Ours converts and calibrates once, and then makes one file after the other; "file" is the time that one more of them
takes, written, loaded and checked. TensorFlow's converter starts from the frozen graph each time, and calibrates each
time; ONNX Runtime's quantizer starts from our float file, so that only quantizing is compared. All run in this
process, imports excluded, by turns. The graph is one of convolutions and batch norms of as many megabytes of weights.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.transform_graph import make
from mobile_export.formats import QUANTIZABLE, Request
from mobile_export.graph_files.graph_file import read_graph
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.samples import Samples
from mobile_export.session import import_tensorflow
from mobile_export.transforms import DEFAULT, apply, named

SIDE, CHANNELS = 16, 256


def prepared(path: Path) -> Graph:
    """The frozen graph at `path`, optimized as a build would."""
    graph = read_graph(path).graph
    shape = (1, SIDE, SIDE, CHANNELS)
    graph.inputs = (TensorSpec("image", "input:0", "float32", shape),)
    graph.outputs = (TensorSpec("features", "output:0", "float32", shape),)
    return apply(graph, named(DEFAULT), None)[0]


def seconds(work: Callable[[], object], times: int) -> float:
    """Median wall time of a call."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def tensorflow_converter(frozen: Path, samples: Samples, precision: str) -> Callable[[], bytes] | None:
    """TensorFlow's own way to a .tflite file of that precision; None where it has none."""
    tf = import_tensorflow()
    integer = {"int8": tf.lite.OpsSet.TFLITE_BUILTINS_INT8}
    sixteen = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
    integer["int16x8"] = getattr(tf.lite.OpsSet, sixteen)
    if precision not in ("float32", "float16", "dynamic", *integer):
        return None

    def batches() -> Iterator[list[Any]]:
        for sample in samples["image"]:
            yield [sample[None]]

    def convert() -> bytes:
        converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
            str(frozen), ["input"], ["output"], {"input": [1, SIDE, SIDE, CHANNELS]}
        )
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision in integer:
            converter.target_spec.supported_ops = [integer[precision]]
            converter.representative_dataset = batches
        written: bytes = converter.convert()
        return written

    return convert


def onnxruntime_quantizer(folder: Path, model: Path, samples: Samples, precision: str) -> Callable[[], object] | None:
    """ONNX Runtime's own way from a float .onnx file to one of that precision; None where it has none."""
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest = iter(samples["image"])

        def get_next(self) -> dict[str, Any] | None:
            return next(({"image": sample[None]} for sample in self.rest), None)

    if precision == "int8":
        return lambda: quantization.quantize_static(model, folder / "theirs.onnx", Reader(), per_channel=True)
    if precision == "dynamic":
        return lambda: quantization.quantize_dynamic(model, folder / "theirs.onnx", per_channel=True)
    return None


def compare(name: str, graph: Graph, frozen: Path, samples: Samples, folder: Path, times: int) -> dict[str, Any]:
    """Seconds of ours and of the peer, by precision."""
    unit, shared = QUANTIZABLE[name], folder / name
    shared.mkdir()
    requests = [Request(precision, folder / f"{precision}{unit.suffix}", precision) for precision in unit.precisions]
    start = time.perf_counter()
    unit.convert(graph, shared, requests, samples)
    found: dict[str, Any] = {"convert and calibrate": {"ours": time.perf_counter() - start}}
    float32 = next(request.path for request in requests if request.precision == "float32")
    for request in sorted(requests, key=lambda request: request.precision != "float32"):
        ours = seconds(lambda request=request: unit.quantize(shared, request), times)
        peer = (
            tensorflow_converter(frozen, samples, request.precision)
            if name == "tflite"
            else onnxruntime_quantizer(folder, float32, samples, request.precision)
        )
        row = {"ours": ours, "megabytes": request.path.stat().st_size / 1e6}
        if peer is not None:
            theirs = seconds(peer, 1)
            row |= {"peer": theirs, "peer / ours": theirs / ours}
        found[request.precision] = row
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=97)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--formats", nargs="+", default=["tflite", "onnx"], choices=list(QUANTIZABLE))
    given = parser.parse_args()
    samples: Samples = {
        "image": np.random.default_rng(0).random((given.samples, SIDE, SIDE, CHANNELS), np.float32),
    }
    with tempfile.TemporaryDirectory() as folder:
        frozen = Path(folder, "frozen.pb")
        make(frozen, given.megabytes)
        graph = prepared(frozen)
        for name in given.formats:
            print(json.dumps({name: compare(name, graph, frozen, samples, Path(folder), given.times)}, indent=2))


if __name__ == "__main__":
    main()
