"""litert-quantizer, the parts of it that are used, and the runtime that it calibrates in."""

import io
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

from mobile_export.tools import import_tool


class _Tools:
    """Its modules."""

    def __init__(self) -> None:
        # tqdm's own lock is one between processes, which build sandboxes forbid
        import_tool("tqdm").tqdm.set_lock(threading.RLock())
        self.interpreter = import_tool("ai_edge_litert.interpreter")
        self.flatbuffer_utils = import_tool("ai_edge_litert.tools.flatbuffer_utils")
        self.calibrator = import_tool("litert_quantizer.calibrator")
        self.model_modifier = import_tool("litert_quantizer.model_modifier")
        self.params_generator = import_tool("litert_quantizer.params_generator")
        self.recipe_manager = import_tool("litert_quantizer.recipe_manager")
        self.qsv_utils = import_tool("litert_quantizer.utils.qsv_utils")


@contextmanager
def litert() -> Iterator[Any]:
    """litert-quantizer, without its progress bars and warnings on stderr.

    Raises:
        MissingToolError: it is not installed.
    """
    tools = _Tools()
    heard = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield tools
    finally:
        logging.disable(heard)
