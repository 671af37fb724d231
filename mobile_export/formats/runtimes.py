"""What runs files here: the packages that `Format.runtime` stands for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Runtime:
    """A library that runs files.

    Attributes:
        package: the distribution that has its version.
        modules: what an app has loaded of it before it loads a file.
    """

    package: str
    modules: tuple[str, ...]


RUNTIMES = {
    "LiteRT": Runtime("ai-edge-litert", ("ai_edge_litert.interpreter", "ai_edge_litert.schema_py_generated")),
    "ONNX Runtime": Runtime("onnxruntime", ("onnxruntime",)),
    "TensorFlow": Runtime("tensorflow", ("tensorflow",)),
}
"""By `Format.runtime`."""
