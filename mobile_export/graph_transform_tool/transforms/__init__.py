"""The transforms of TensorFlow's Graph Transform Tool: their names, parameters and results, without their defects.

Each is a file with a function `(graph, parameters) -> graph`, and a line below. `docs/classic.md` says for each in what
it is better than the original.
"""

import math

from mobile_export.graph_transform_tool.transform import GraphTransform
from mobile_export.graph_transform_tool.transforms.add_default_attributes import add_default_attributes
from mobile_export.graph_transform_tool.transforms.backport_concatv2 import backport_concatv2
from mobile_export.graph_transform_tool.transforms.backport_tensor_array_v3 import backport_tensor_array_v3
from mobile_export.graph_transform_tool.transforms.flatten_atrous_conv import flatten_atrous_conv
from mobile_export.graph_transform_tool.transforms.fold_batch_norms import fold_batch_norms
from mobile_export.graph_transform_tool.transforms.fold_constants import fold_constants
from mobile_export.graph_transform_tool.transforms.fold_old_batch_norms import fold_old_batch_norms
from mobile_export.graph_transform_tool.transforms.freeze_requantization_ranges import freeze_requantization_ranges
from mobile_export.graph_transform_tool.transforms.fuse_pad_and_conv import fuse_pad_and_conv
from mobile_export.graph_transform_tool.transforms.fuse_resize_and_conv import fuse_resize_and_conv
from mobile_export.graph_transform_tool.transforms.fuse_resize_pad_and_conv import fuse_resize_pad_and_conv
from mobile_export.graph_transform_tool.transforms.inline_partitionedcall import inline_partitionedcall
from mobile_export.graph_transform_tool.transforms.insert_logging import insert_logging
from mobile_export.graph_transform_tool.transforms.merge_duplicate_nodes import merge_duplicate_nodes
from mobile_export.graph_transform_tool.transforms.obfuscate_names import obfuscate_names
from mobile_export.graph_transform_tool.transforms.quantize_nodes import quantize_nodes
from mobile_export.graph_transform_tool.transforms.quantize_weights import quantize_weights
from mobile_export.graph_transform_tool.transforms.remove_attribute import remove_attribute
from mobile_export.graph_transform_tool.transforms.remove_control_dependencies import remove_control_dependencies
from mobile_export.graph_transform_tool.transforms.remove_device import remove_device
from mobile_export.graph_transform_tool.transforms.remove_nodes import remove_nodes
from mobile_export.graph_transform_tool.transforms.rename_attribute import rename_attribute
from mobile_export.graph_transform_tool.transforms.rename_node import rename_node
from mobile_export.graph_transform_tool.transforms.rename_op import rename_op
from mobile_export.graph_transform_tool.transforms.round_weights import round_weights
from mobile_export.graph_transform_tool.transforms.set_device import set_device
from mobile_export.graph_transform_tool.transforms.sort_by_execution_order import sort_by_execution_order
from mobile_export.graph_transform_tool.transforms.sparsify_gather import sparsify_gather
from mobile_export.graph_transform_tool.transforms.strip_unused_nodes import strip_unused_nodes

__all__ = ["GRAPH_TRANSFORMS", "GraphTransform"]

GRAPH_TRANSFORMS: dict[str, GraphTransform] = {
    "add_default_attributes": GraphTransform(add_default_attributes),
    "backport_concatv2": GraphTransform(backport_concatv2),
    "backport_tensor_array_v3": GraphTransform(backport_tensor_array_v3),
    "flatten_atrous_conv": GraphTransform(flatten_atrous_conv, tolerance=1e-5),
    "fold_batch_norms": GraphTransform(fold_batch_norms, tolerance=1e-4),
    "fold_constants": GraphTransform(
        fold_constants, ("clear_output_shapes", "exclude_node", "exclude_op", "max_constant_size_in_bytes")
    ),
    "fold_old_batch_norms": GraphTransform(fold_old_batch_norms, tolerance=1e-4),
    "freeze_requantization_ranges": GraphTransform(
        freeze_requantization_ranges,
        ("min_max_log_file", "min_percentile", "max_percentile"),
        files=("min_max_log_file",),
        tolerance=math.inf,
    ),
    "fuse_pad_and_conv": GraphTransform(fuse_pad_and_conv, tolerance=1e-5),
    "fuse_resize_and_conv": GraphTransform(fuse_resize_and_conv, tolerance=1e-5),
    "fuse_resize_pad_and_conv": GraphTransform(fuse_resize_pad_and_conv, tolerance=1e-5),
    "inline_partitionedcall": GraphTransform(inline_partitionedcall),
    "insert_logging": GraphTransform(
        insert_logging, ("op", "prefix", "message", "show_name", "show_op", "first_n", "summarize")
    ),
    "merge_duplicate_nodes": GraphTransform(merge_duplicate_nodes),
    "obfuscate_names": GraphTransform(obfuscate_names),
    "quantize_nodes": GraphTransform(
        quantize_nodes,
        parameters=("ignore_op", "input_min", "input_max", "fallback_min", "fallback_max"),
        tolerance=math.inf,
    ),
    "quantize_weights": GraphTransform(quantize_weights, ("minimum_size",), tolerance=math.inf),
    "remove_attribute": GraphTransform(remove_attribute, ("attribute_name", "op_name"), tolerance=math.inf),
    "remove_control_dependencies": GraphTransform(remove_control_dependencies),
    "remove_device": GraphTransform(remove_device),
    "remove_nodes": GraphTransform(remove_nodes, ("op", "max_inputs"), tolerance=math.inf),
    "rename_attribute": GraphTransform(
        rename_attribute, ("old_attribute_name", "new_attribute_name", "op_name"), tolerance=math.inf
    ),
    "rename_node": GraphTransform(rename_node, ("old_node_name", "new_node_name"), renames=True),
    "rename_op": GraphTransform(rename_op, ("old_op_name", "new_op_name"), tolerance=math.inf),
    "round_weights": GraphTransform(round_weights, ("num_steps",), tolerance=math.inf),
    "set_device": GraphTransform(set_device, ("device", "if_default")),
    "sort_by_execution_order": GraphTransform(sort_by_execution_order),
    "sparsify_gather": GraphTransform(
        sparsify_gather, ("input_checkpoint", "group_init_node"), files=("input_checkpoint",), tolerance=math.inf
    ),
    "strip_unused_nodes": GraphTransform(
        strip_unused_nodes, ("name", "type", "type_for_name", "shape", "shape_for_name")
    ),
}
"""By name."""
