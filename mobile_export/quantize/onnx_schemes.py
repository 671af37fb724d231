"""A float ONNX model under a scheme.

int8         integer operators, calibrated (`onnx_qdq.py`)
dynamic      matrix products of integers, without calibration (`onnx_dynamic.py`); other layers as weight_int8
weight_int8  int8 weights, float32 arithmetic (`onnx_stored.py`); also int8 where there is no integer operator
float16      half-precision weights, float32 arithmetic: so nothing can overflow that the float model does not
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mobile_export.errors import ConversionError
from mobile_export.quantize.onnx_dynamic import DynamicProducts
from mobile_export.quantize.onnx_graph import Editor, inner_nodes
from mobile_export.quantize.onnx_plan import plan
from mobile_export.quantize.onnx_qdq import IntegerOperators
from mobile_export.quantize.onnx_ranges import Histogram
from mobile_export.quantize.onnx_stored import StoredWeights
from mobile_export.quantize.scheme import Scheme

if TYPE_CHECKING:
    from onnx import GraphProto

LAYER_PRECISIONS = ("int8", "dynamic", "weight_int8", "float16", "float32")
"""What a layer may be, from the fewest bytes of weights to the most."""


def apply_scheme(graph: "GraphProto", scheme: Scheme, histograms: Mapping[str, Histogram]) -> frozenset[str]:
    """Rewrite `graph`, in place.

    Args:
        graph: a float model; each node is called after its first output.
        histograms: of the tensors that calibration saw.

    Returns:
        Names of the nodes that compute in float because the scheme says so.

    Raises:
        ConversionError: a layer is not known, a weight is beyond float16, or ranges are missing.
    """
    if "int8" in scheme.precisions and not histograms:
        raise ConversionError(
            "int8 needs representative samples; name them in [data] calibration, for a model that computes in float32"
        )
    decided = plan(graph, scheme, frozenset(histograms))
    editor = Editor(graph)
    integers = IntegerOperators(editor, scheme, decided, histograms)
    products, weights = DynamicProducts(editor, scheme), StoredWeights(editor, scheme)
    for node in graph.node:
        layer = decided.layers.get(node.name)
        if node.name in decided.integer:
            integers.compute(node)
        elif layer is not None and products.takes(layer):
            products.compute(node)
        else:
            for one in (node, *inner_nodes(node)):
                own = decided.layers.get(one.name)
                if own is not None:
                    weights.store(own)
                if scheme.precision == "float16":
                    weights.store_others(one, () if own is None else own.weights)
            editor.keep(node)
    editor.finish()
    return decided.floats
