"""Turns a trained TensorFlow model into the files that a phone app ships, and proves each of them right."""

import importlib
from typing import Any

__version__ = "0.1.0"
__all__ = ["TransformGraph", "__version__"]


def __getattr__(name: str) -> Any:
    """`TransformGraph`, imported when it is first used: starting costs nothing."""
    if name == "TransformGraph":
        return importlib.import_module("mobile_export.classic.transform_graph").transform_graph_def
    raise AttributeError(f"module 'mobile_export' has no attribute {name!r}")
