"""What the server that workers are forked from imports, once: see `workers`."""

import contextlib
import gc
import importlib
import signal

from mobile_export.errors import MissingToolError
from mobile_export.session import import_tensorflow

# Ctrl-C reaches every process of a terminal; the build hears it and ends its workers, which inherit this
signal.signal(signal.SIGINT, signal.SIG_IGN)

# among a million objects that are made and kept, looking for garbage takes a quarter of the time
gc.disable()

with contextlib.suppress(MissingToolError):  # a worker that needs it says so
    import_tensorflow()

# a search has dozens of workers, which would each take a second to import what they share
for _name in (
    "mobile_export.pipeline",
    "ai_edge_litert.interpreter",
    "litert_quantizer.quantizer",
    "onnxruntime",
):
    with contextlib.suppress(ImportError):
        importlib.import_module(_name)

gc.freeze()  # workers share the memory of these objects for as long as nobody writes there, as looking for garbage does
gc.enable()
