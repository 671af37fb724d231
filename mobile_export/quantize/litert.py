"""litert-quantizer, the parts of it that are used, and the runtime that it calibrates in."""

import io
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

from mobile_export.errors import MissingToolError


class _Tools:
    """Its modules."""

    def __init__(self) -> None:
        from ai_edge_litert import interpreter
        from ai_edge_litert.tools import flatbuffer_utils
        from litert_quantizer import calibrator, model_modifier, params_generator, recipe_manager
        from litert_quantizer.utils import qsv_utils
        from tqdm import tqdm

        tqdm.set_lock(threading.RLock())  # its own is one between processes, which build sandboxes forbid
        self.interpreter, self.flatbuffer_utils = interpreter, flatbuffer_utils
        self.calibrator, self.qsv_utils = calibrator, qsv_utils
        self.recipe_manager, self.params_generator = recipe_manager, params_generator
        self.model_modifier = model_modifier


@contextmanager
def litert() -> Iterator[Any]:
    """litert-quantizer, without its progress bars and warnings on stderr.

    Raises:
        MissingToolError: it is not installed.
    """
    try:
        tools = _Tools()
    except ImportError as error:
        raise MissingToolError(
            f'litert-quantizer cannot be imported ({error}); run: pip install "mobile-export[convert]"'
        ) from error
    heard = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield tools
    finally:
        logging.disable(heard)
