"""Files as networks of operators, each of whose values can be watched, here or on a device."""

from collections.abc import Callable, Mapping
from pathlib import Path

from mobile_export.watching.network import Network
from mobile_export.watching.onnx import ONNXNetwork
from mobile_export.watching.tflite import TFLiteNetwork

__all__ = ["NETWORKS", "Network"]

NETWORKS: Mapping[str, Callable[[Path], Network]] = {"tflite": TFLiteNetwork, "onnx": ONNXNetwork}
"""The formats whose files can be watched."""
