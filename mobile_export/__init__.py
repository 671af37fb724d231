"""Turns a trained TensorFlow model into the files that a phone app ships, and proves each of them right."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any  # it takes as long to import as all else that an unchanged build does

__version__ = "0.1.0"
__all__ = ["TransformGraph", "__version__"]


def __getattr__(name: str) -> "Any":
    """`TransformGraph`, imported when it is first used: starting costs nothing."""
    if name == "TransformGraph":
        import importlib

        return importlib.import_module("mobile_export.classic.transform_graph").transform_graph_def
    raise AttributeError(f"module 'mobile_export' has no attribute {name!r}")
