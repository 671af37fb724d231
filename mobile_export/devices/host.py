"""A file as this computer's runtime has it, before it is run elsewhere."""

from pathlib import Path

from mobile_export.devices.wire import Edges
from mobile_export.errors import NotRunnableError
from mobile_export.formats import FORMATS
from mobile_export.formats.flatbuffer import map_file, select_tf_ops


def edges_here(kind: str, path: Path) -> Edges:
    """Inputs and outputs of a file of a format; what has read them is not kept.

    Raises:
        ConversionError: this computer's runtime does not load the file.
        NotRunnableError: no runtime for ARM runs it.
    """
    here = FORMATS[kind].open(path, threads=1)
    if kind == "tflite" and select_tf_ops(map_file(path)):
        raise NotRunnableError("not run: no runtime for ARM here has the Flex delegate")
    return Edges(here.inputs, here.outputs)
