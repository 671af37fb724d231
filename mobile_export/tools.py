"""Packages that are imported where they are needed: an installation without them does all else."""

import importlib
from typing import Any

from mobile_export.errors import MissingToolError

_CALLED = {"PIL": "Pillow", "vl_convert": "vl-convert-python"}
"""Packages that are not called as their modules are."""


def import_tool(module: str) -> Any:
    """`module`, imported.

    Raises:
        MissingToolError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        root = module.partition(".")[0]
        package = _CALLED.get(root, root.replace("_", "-"))
        raise MissingToolError(
            f'{package} cannot be imported ({error}); run: pip install "mobile-export[convert]"'
        ) from error
