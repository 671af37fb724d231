"""The ONNX stage alone, ours or tf2onnx's, on a frozen and optimized graph; imports excluded.

    python -m benchmarks.onnx_stage ours GRAPH FILE.onnx
    python -m benchmarks.onnx_stage tf2onnx GRAPH.pb FILE.onnx

Ours begins where a build does, with the graph that the stage before has left on disk, and loads the file that it
writes in ONNX Runtime; tf2onnx, with its optimizers, begins with a GraphDef in memory. `prepare` writes the first from
a target. Printed as JSON: seconds. `cold_export` runs each as a process of its own, whose memory it samples.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path


def prepare(target: Path, folder: Path) -> Path:
    """What a build has on disk before its formats are written; the graph."""
    from mobile_export.pipeline import prepare as prepare_graph
    from mobile_export.pipeline.work import OPTIMIZED
    from mobile_export.planning.plan import load_targets

    [(_, loaded)] = load_targets([target])
    folder.mkdir()
    prepare_graph(loaded, folder)
    return folder / OPTIMIZED


def ours(source: Path, path: Path) -> Callable[[], object]:
    """Our stage, with its imports behind it."""
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401
    import tf2onnx.tfonnx  # noqa: F401

    from mobile_export.formats import FORMATS, Request
    from mobile_export.graphs.graph import Graph
    from mobile_export.session import import_tensorflow

    import_tensorflow()
    return lambda: FORMATS["onnx"].write(Graph.load(source), [Request("onnx", path, "float32")], None)


def peer(source: Path, path: Path) -> Callable[[], object]:
    """tf2onnx's own way, with its imports behind it."""
    import tf2onnx
    from tensorflow.core.framework import graph_pb2

    from benchmarks.official_chain import onnx

    graph = graph_pb2.GraphDef.FromString(source.read_bytes())
    assert tf2onnx.convert  # noqa: S101  the import is part of what is behind it
    return lambda: onnx(graph, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=("ours", "tf2onnx"))
    parser.add_argument("source", type=Path)
    parser.add_argument("result", type=Path)
    given = parser.parse_args()
    work = (ours if given.side == "ours" else peer)(given.source, given.result)
    begun = time.perf_counter()
    work()
    print(json.dumps({"seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    main()
