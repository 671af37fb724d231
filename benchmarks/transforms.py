"""CPU time of our default transforms against TensorFlow's optimize_for_inference, on one checkpoint, in one process.

    python benchmarks/transforms.py CHECKPOINT --output output

Both start from a frozen graph in memory. Ours is timed twice: the rewrites alone, and with the runner's own
verification (the graph is run after every transform). Printed as JSON: seconds of CPU, their ratio, and how far the
outputs are apart.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export.graphs.graph import Graph, node_name
from mobile_export.network.forward import find_inputs
from mobile_export.runner import run_samples
from mobile_export.session import Session, import_tensorflow
from mobile_export.sources import detect
from mobile_export.target import Model, Output
from mobile_export.transforms import DEFAULT, INFERENCE, apply, named, relative_difference


def cpu(call: Callable[[], Any]) -> tuple[Any, float]:
    """The call's result and its CPU seconds, all threads."""
    start = time.process_time()
    result = call()
    return result, time.process_time() - start


def official(graph: Graph, frozen: Any) -> Any:
    from tensorflow.python.tools import optimize_for_inference_lib

    inputs = [node_name(spec.tensor) for spec in graph.inputs]
    outputs = [node_name(spec.tensor) for spec in graph.outputs]
    return optimize_for_inference_lib.optimize_for_inference(frozen, inputs, outputs, 1)  # 1: float32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--output", required=True, help="name of the output node")
    arguments = parser.parse_args()
    import_tensorflow()

    _, source = detect(arguments.checkpoint)
    outputs = (Output(name="answer", tensor=f"{arguments.output}:0"),)
    graph = source.load(arguments.checkpoint, Model(source=arguments.checkpoint, outputs=outputs))
    graph = find_inputs(graph, served=apply(graph, named(INFERENCE), None)[0])
    shape = [2, *(max(size, 1) for size in graph.inputs[0].shape[1:])]
    probe = {graph.inputs[0].name: np.random.default_rng(0).random(shape).astype(np.float32)}

    (ours, _), alone = cpu(lambda: apply(graph, named(DEFAULT), None))
    (_, log), verified = cpu(lambda: apply(graph, named(DEFAULT), probe))
    frozen = graph.to_graph_def()
    theirs, peer = cpu(lambda: official(graph, frozen))

    reference = run_samples(Session(graph), probe)["answer"]
    other = Graph.from_graph_def(theirs, graph.inputs, graph.outputs)
    report = {
        "weights_mb": round(sum(a.nbytes for a in graph.constants.values()) / 1e6, 1),
        "transforms_cpu_s": round(alone, 2),
        "transforms_verified_cpu_s": round(verified, 2),
        "optimize_for_inference_cpu_s": round(peer, 2),
        "ratio": round(peer / alone, 1),
        "ratio_verified": round(peer / verified, 1),
        "outputs_moved": relative_difference(reference, run_samples(Session(ours), probe)["answer"]),
        "outputs_moved_by_peer": relative_difference(reference, run_samples(Session(other), probe)["answer"]),
        "nodes": {"frozen": len(graph.nodes), "ours": len(ours.nodes), "peer": len(theirs.node)},
        "steps": {step.name: step.difference for step in log},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
