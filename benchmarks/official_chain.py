"""The official tools, one after another, on one checkpoint: what it takes without this project.

    python -m benchmarks.official_chain CHECKPOINT SAMPLES.npz FOLDER

TensorFlow freezes the checkpoint and optimizes the graph for inference, its converter is asked for four .tflite files,
and tf2onnx for an .onnx file. Nothing is checked. There is no step for a memory-mapped graph: TensorFlow has that
converter in C++ alone, to be built with Bazel. Printed as JSON: seconds of each step, imports being the first, and the
largest resident set within it, in bytes. `cold_export` runs this as a process of its own.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class Steps:
    """Seconds and memory of one step after another."""

    def __init__(self) -> None:
        self.taken: dict[str, dict[str, float]] = {}

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:
        """What `work` returns."""
        Path("/proc/self/clear_refs").write_text("5")  # forget the largest resident set until now
        begun = time.perf_counter()
        made = work()
        self.taken[name] = {"seconds": time.perf_counter() - begun, "resident": _largest_resident_set()}
        return made


def _largest_resident_set() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _imports() -> Any:
    import tensorflow
    import tf2onnx  # noqa: F401  its time belongs to this step, too

    return tensorflow


def freeze(tf: Any, checkpoint: Path) -> Any:
    """Variables become constants, in the graph that the checkpoint brought along."""
    tf1 = tf.compat.v1
    with tf1.Session(graph=tf1.Graph()) as session:
        tf1.train.import_meta_graph(f"{checkpoint}.meta", clear_devices=True).restore(session, str(checkpoint))
        return tf1.graph_util.convert_variables_to_constants(session, session.graph_def, ["output"])


def optimize(tf: Any, frozen: Any, path: Path) -> Any:
    """The optimized graph, which is written to `path`, too."""
    from tensorflow.python.tools.optimize_for_inference_lib import optimize_for_inference

    optimized = optimize_for_inference(frozen, ["input"], ["output"], tf.float32.as_datatype_enum)
    path.write_bytes(optimized.SerializeToString())
    return optimized


def tflite(tf: Any, graph: Path, precision: str, samples: Any, path: Path) -> None:
    """A .tflite file, as TensorFlow's documentation says to make it."""
    shape = [1, *samples.shape[1:]]
    converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(str(graph), ["input"], ["output"], {"input": shape})
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":

        def batches() -> Iterator[list[Any]]:
            for sample in samples:
                yield [sample[None]]

        converter.representative_dataset = batches
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    path.write_bytes(converter.convert())


def onnx(graph: Any, path: Path) -> None:
    """An .onnx file by tf2onnx, with its optimizers."""
    import tf2onnx

    tf2onnx.convert.from_graph_def(
        graph, input_names=["input:0"], output_names=["output:0"], opset=17, output_path=str(path)
    )


def chain(checkpoint: Path, samples_path: Path, folder: Path) -> dict[str, dict[str, float]]:
    """What each step took."""
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    step, samples = Steps(), np.load(samples_path)["input"]
    tf = step("imports", _imports)
    frozen = step("freeze", lambda: freeze(tf, checkpoint))
    graph = folder / "optimized.pb"
    optimized = step("optimize_for_inference", lambda: optimize(tf, frozen, graph))
    for precision in ("float32", "float16", "dynamic", "int8"):
        path = folder / f"{precision}.tflite"
        step(f"tflite {precision}", lambda: tflite(tf, graph, precision, samples, path))  # noqa: B023  called at once
    step("onnx", lambda: onnx(optimized, folder / "model.onnx"))
    return step.taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="its prefix, such as model.ckpt")
    parser.add_argument("samples", type=Path, help=".npz with pictures as `input`, for calibration")
    parser.add_argument("folder", type=Path, help="where the files go")
    given = parser.parse_args()
    print(json.dumps(chain(given.checkpoint, given.samples, given.folder)))


if __name__ == "__main__":
    main()
