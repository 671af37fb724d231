"""Golden vectors: inputs, and what a file answered to them here, in a form that an app reads without a parser.

Little endian, and nothing but numbers:

    8 bytes    "MXGOLD", 0, 1
    32 bytes   sha256 of the model file
    u32        number of runs
    each run   every public input in the interface's order, then every public output
    a tensor   u32 number of elements, then the elements, of the port's type; a bool takes a byte

Inputs are raw, as the app hands them to the class; outputs are real values, as the class hands them back.
"""

from typing import TYPE_CHECKING

import numpy as np

from mobile_export.apps.interface import Interface, Port, Variant

if TYPE_CHECKING:  # see the package
    from mobile_export.graphs.tensors import Array
    from mobile_export.samples import Samples

MAGIC = b"MXGOLD\x00\x01"


def golden_vectors(interface: Interface, variant: Variant, golden: "Samples") -> bytes | None:
    """The vectors of one file; None where its answers could not be recorded, or not one a run.

    Args:
        golden: what was recorded: `inputs/NAME` as files take it, `raw/NAME` where that is preprocessed,
            `answers/FILE/NAME`.
    """
    names = [f"answers/{variant.name}/{port.name}" for port in interface.outputs]
    if not all(name in golden for name in names):
        return None
    inputs = [(port, golden.get(f"raw/{port.name}", golden[f"inputs/{port.name}"])) for port in interface.inputs]
    outputs = [(port, golden[name]) for port, name in zip(interface.outputs, names, strict=True)]
    tensors = [_runs(port, array) for port, array in [*inputs, *outputs]]
    if len({len(runs) for runs in tensors}) > 1:
        return None
    runs = list(zip(*tensors, strict=True))
    parts = [MAGIC, bytes.fromhex(variant.sha256), _u32(len(runs))]
    for run in runs:
        for array in run:
            parts += [_u32(array.size), array.tobytes()]
    return b"".join(parts)


def _runs(port: Port, samples: "Array") -> "list[Array]":
    """The recorded samples as whole tensors of a port: a fixed batch is filled up with the last sample."""
    dtype = np.dtype(port.dtype).newbyteorder("<")
    whole = samples.ndim == len(port.shape) + 1
    batch = 1 if whole or not port.shape else max(1, port.shape[0])
    rows = len(samples)
    starts = range(0, rows, batch)
    return [samples[[min(row, rows - 1) for row in range(at, at + batch)]].astype(dtype) for at in starts]


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "little")
