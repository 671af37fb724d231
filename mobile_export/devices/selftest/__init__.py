"""Whether an emulator computes as its processor would: small models of ours, whose answers are known.

The answers lie beside the models, recorded from the runtimes of an ordinary computer. So the test needs no runtime
here, takes a second, and does not compare an emulator with itself. Integers have to be the same.
`tests/devices/selftest_models.py` makes models and answers anew.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_export import machine
from mobile_export.devices.processes import threads
from mobile_export.devices.wire import Edged
from mobile_export.errors import ConversionError, ModelError
from mobile_export.graphs.tensors import Array
from mobile_export.runner import Edge, Runner

FOLDER = Path(__file__).parent
"""Where the models lie, and what is known of them."""

MODELS = ("all.onnx", "float32.tflite", "dynamic.tflite", "int8.tflite", "int16x8.tflite")
"""Together they run every kind of kernel that a file of ours may use. ONNX Runtime takes a second to start in an
emulator, and LiteRT a tenth: so it has all networks in one model."""

TOLERANCES: Mapping[str, float] = {"float32": 1e-5, "dynamic": 0.03, "int8": 0, "int16x8": 0}
"""What another order of additions may change, and, of values that are quantized as they come, another way to do that:
as a share of the largest magnitude, by the precision with which the name of an output begins."""

Open = Callable[[str, Path, Edged], AbstractContextManager[Runner]]
"""Loads a model where it is to be tested: its format, its file, its inputs and outputs."""


@dataclass(frozen=True)
class Known:
    """What a model is fed, and what it has to answer, by name."""

    feeds: Mapping[str, Array]
    answers: Mapping[str, Array]

    @classmethod
    def of(cls, model: Path) -> "Known":
        """What is recorded beside a model."""
        with np.load(_record(model), allow_pickle=False) as arrays:
            return cls(*({n.removeprefix(side): a for n, a in arrays.items() if n.startswith(side)} for side in _SIDES))

    @property
    def inputs(self) -> tuple[Edge, ...]:
        return _edges(self.feeds)

    @property
    def outputs(self) -> tuple[Edge, ...]:
        return _edges(self.answers)

    def record(self, model: Path) -> None:
        """Leave it beside a model."""
        sides = zip(_SIDES, (self.feeds, self.answers), strict=True)
        arrays = {side + name: array for side, named in sides for name, array in named.items()}
        np.savez_compressed(_record(model), allow_pickle=False, **arrays)


def wrong_answers(open_there: Open) -> tuple[str, ...]:
    """What is not answered as recorded there, in words; nothing where all is right."""
    with threads(machine.cores()) as pool:
        return tuple(filter(None, pool.map(lambda model: _wrong(FOLDER / model, open_there), MODELS)))


def _wrong(model: Path, open_there: Open) -> str:
    known = Known.of(model)
    try:
        with open_there(model.suffix.removeprefix("."), model, known) as runner:
            answers = runner(known.feeds)
    except (ConversionError, ModelError) as error:
        return str(error)
    shares = {name: _differing(name, answers[name], right) for name, right in known.answers.items()}
    wrong = ", ".join(f"{share:.2g} % of {name} differ" for name, share in shares.items() if share)
    return f"{model.name}: {wrong}" if wrong else ""


def _differing(name: str, answer: Array, right: Array) -> float:
    """Percent of an output's values that are not what they should be; NaN never is."""
    if (answer.dtype, answer.shape) != (right.dtype, right.shape):
        return 100.0
    there, expected = answer.astype(np.float64), right.astype(np.float64)
    tolerated = TOLERANCES[name.partition("_")[0]] * np.abs(expected).max()
    return 100.0 * float(np.mean(~(np.abs(there - expected) <= tolerated)))


_SIDES = ("in ", "out ")


def _record(model: Path) -> Path:
    return model.with_name(f"{model.name}.npz")


def _edges(arrays: Mapping[str, Array]) -> tuple[Edge, ...]:
    return tuple(Edge(name, array.dtype.name, array.shape) for name, array in arrays.items())
