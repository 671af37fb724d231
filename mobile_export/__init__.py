"""Turns a trained TensorFlow model into the files that a phone app ships, and proves each of them right."""

__version__ = "0.1.0"
__all__ = ["__version__"]
