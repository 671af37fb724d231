"""What the server that workers are forked from imports, once: see `workers`."""

import contextlib
import os
import signal

from mobile_export.errors import MissingToolError
from mobile_export.session import import_tensorflow

# Ctrl-C reaches every process of a terminal; the build hears it and ends its workers, which inherit this
signal.signal(signal.SIGINT, signal.SIG_IGN)

_silence = os.open(os.devnull, os.O_WRONLY)
_stderr = os.dup(2)
os.dup2(_silence, 2)  # TensorFlow's C++ greets on stderr before any log level is read
try:
    with contextlib.suppress(MissingToolError):  # a worker that needs it says so
        import_tensorflow()
finally:
    os.dup2(_stderr, 2)
    os.close(_stderr)
    os.close(_silence)
