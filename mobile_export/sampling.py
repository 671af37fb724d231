"""The samples of a build: those that the target brings, or random ones."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mobile_export.data import Wanted, read_samples
from mobile_export.data.preprocess import Recipes, largest_raw, preprocess, problem
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, TensorSpec, format_shape, node_name
from mobile_export.graphs.tensors import Array
from mobile_export.labels import read_labels
from mobile_export.runner import Edge, run_samples
from mobile_export.samples import Samples, save_samples, store_samples
from mobile_export.session import PROBE_SECONDS, Session
from mobile_export.target import Target

PROBES = 16
"""Random samples where the target brings no data."""
TRIED = 2
"""Of these, those on which dynamic sizes are tried."""
SIZES = (64, 32, 224, 256, 128, 96, 299, 16, 8, 1)
"""What dynamic dimensions may be in random samples: the first that the model takes, usual sizes of images first."""
_PASSING = frozenset({"Cast", "ExpandDims", "Identity", "Reshape", "Squeeze", "Transpose"})
_GATHERS = frozenset({"Gather", "GatherV2"})

LARGEST = 1 << 28
"""Values of an input in all random samples together."""
PARITY_SAMPLES = 128
"""Data samples on which answers are compared value by value."""

CALIBRATION, EVALUATION = "calibration", "evaluation"
"""Folders of stored samples."""
PARITY = "parity.npz"
"""The samples on which answers are compared value by value."""


def gather(target: Target, served: Graph, folder: Path) -> Samples:
    """Read and check all data; store it by role, for calibration as the files take it, otherwise as it came.

    Args:
        served: the network with its public inputs; random samples are tried on it.
        folder: gets calibration/, evaluation/ and parity.npz, as far as there is data.

    Returns:
        The samples on which answers are compared, as they came.

    Raises:
        ModelError: data does not fit the model, or random samples cannot be drawn for it.
    """
    shapes = {spec.name: spec.shape for spec in target.model.inputs if spec.shape is not None}
    inputs = tuple(replace(spec, shape=shapes.get(spec.name, spec.shape)) for spec in served.inputs)
    recipes = target.model.preprocessing
    _refuse_preprocessing(target, inputs)
    calibration, evaluation = target.data.calibration, target.data.evaluation
    parity: Samples | None = None
    if calibration is not None:
        count, drawn = read_samples(calibration, Wanted(inputs, raw=recipes))
        first: list[Samples] = []
        store_samples(folder / CALIBRATION, count, _made_ready(drawn, first, outside(target), inputs))
        parity = _joined(first)
    if evaluation is not None:
        count, drawn = read_samples(evaluation, Wanted(inputs, evaluation.labels, recipes, _classes(target)))
        stored = store_samples(folder / EVALUATION, count, drawn)
        scored = {spec.name: np.array(stored[spec.name][:PARITY_SAMPLES]) for spec in inputs}
        parity = _topped_up(scored, parity)
    if parity is None:
        parity = _random_samples(served, inputs, recipes)
    save_samples(folder / PARITY, parity)
    return parity


def _classes(target: Target) -> tuple[str, ...] | None:
    """What the classes of the scored output are called, where a file says it."""
    evaluation = target.data.evaluation
    scored = [o for o in target.model.outputs if evaluation is None or evaluation.output in (None, o.name)]
    file = scored[0].labels if scored else None
    return read_labels(file) if file else None


def _made_ready(
    drawn: Iterable[Samples], first: list[Samples], recipes: Recipes, inputs: Sequence[TensorSpec]
) -> Iterator[Samples]:
    """Batches as the files take them; `first` gets as many of them as came as answers are compared on."""
    seen = 0
    for batch in drawn:
        if seen < PARITY_SAMPLES:
            first.append({name: array[: PARITY_SAMPLES - seen] for name, array in batch.items()})
        seen += len(next(iter(batch.values())))
        yield ready(batch, recipes, inputs)


def _topped_up(samples: Samples, others: Samples | None) -> Samples:
    """Few samples and, where they are of the same form, some of `others`: answers are compared between samples."""
    if others is None or any(
        (array.dtype, array.shape[1:]) != (others[name].dtype, others[name].shape[1:])
        for name, array in samples.items()
    ):
        return samples
    return {name: np.concatenate([array, others[name]])[:PARITY_SAMPLES] for name, array in samples.items()}


def _joined(batches: Sequence[Samples]) -> Samples:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def outside(target: Target) -> Recipes:
    """Preprocessing that happens before the files, in the app."""
    return {name: how for name, how in target.model.preprocessing.items() if not how.fold}


def ready(samples: Samples, recipes: Recipes, inputs: Iterable[TensorSpec | Edge]) -> Samples:
    """Samples in the element types of `inputs`, preprocessed by `recipes`."""
    return {
        spec.name: preprocess(samples[spec.name], recipes[spec.name], spec.dtype)
        if spec.name in recipes
        else np.asarray(samples[spec.name], spec.dtype)
        for spec in inputs
    }


def _refuse_preprocessing(target: Target, inputs: Sequence[TensorSpec]) -> None:
    by_name = {spec.name: spec for spec in inputs}
    for index, named_input in enumerate(target.model.inputs):
        spec, how = by_name[named_input.name], named_input.preprocessing
        wrong = problem(how, spec.dtype, spec.shape) if how is not None else None
        if wrong:
            raise ModelError(f"model.inputs[{index}].preprocessing: {wrong}")


def _random_samples(served: Graph, inputs: Sequence[TensorSpec], recipes: Recipes) -> Samples:
    """Random samples of the first of `SIZES` that the model takes, where it has dynamic dimensions."""
    unknown = [spec for spec in inputs if spec.shape is None]
    if unknown:
        raise ModelError(
            f"input {unknown[0].name!r} ({unknown[0].dtype}) cannot be probed with random values: "
            "give it a shape in the target, or bring evaluation data"
        )
    if not any(-1 in (spec.shape or ())[1:] for spec in inputs):
        return _drawn(served, inputs, recipes, SIZES[-1])
    taken: list[Samples] = []
    refused: list[ModelError] = []
    with Session(served, seconds=PROBE_SECONDS) as session:
        for size in SIZES:
            samples = _drawn(served, inputs, recipes, size)
            few = {name: array[:TRIED] for name, array in samples.items()}
            try:
                answers = run_samples(session, ready(few, recipes, inputs))
            except ModelError as error:
                refused.append(error)
                continue
            taken.append(samples)
            if all(spec.shape is None or answers[spec.name].ndim == len(spec.shape) for spec in served.outputs):
                return samples  # one answer a sample: no flattening has taken a part of one for a sample
    if taken:
        return taken[0]
    raise ModelError(
        f"random samples do not fit the model, whatever its dynamic dimensions are ({refused[0]}); "
        "give the sizes in shape of [[model.inputs]], or bring evaluation data"
    )


def _drawn(served: Graph, inputs: Sequence[TensorSpec], recipes: Recipes, size: int) -> Samples:
    """Seeded: real numbers uniform in [0, 1), integers that choose rows of a table any of them, others 0 or 1.

    Samples fade from [0, 1) to [0, 1/16): to noise of one strength, a model that is sure of itself answers the same.
    Dynamic dimensions are of `size`. Where preprocessing says that raw values are larger, they are drawn up to 255 or
    65535.
    """
    rng = np.random.default_rng(0)
    samples: Samples = {}
    for spec in inputs:
        shape = (PROBES, *(have if have > 0 else size for have in _sample_shape(spec, served)))
        if math.prod(shape) > LARGEST:
            raise ModelError(
                f"input {spec.name!r} is {spec.dtype}{format_shape(spec.shape)}, too large to be probed with random "
                "values: give it a smaller shape in the target, or bring evaluation data"
            )
        largest = largest_raw(recipes[spec.name]) if spec.name in recipes else 1.0
        samples[spec.name] = (
            (rng.random(shape) * largest * _fading(len(shape))).astype(spec.dtype)
            if spec.dtype.startswith(("float", "bfloat"))
            else rng.integers(0, _rows_chosen(served, spec), shape).astype(spec.dtype)
        )
    return samples


def _rows_chosen(served: Graph, spec: TensorSpec) -> int:
    """How many rows an integer input chooses from, where it is all that chooses rows of a table; 2 where it is not."""
    readers = served.consumers()
    todo, rows = [node_name(spec.tensor)], []
    for name in todo:  # grows while it is walked
        for reader, index in readers[name]:
            if reader.op in _PASSING and index == 0:
                todo.append(reader.name)
            elif reader.op in _GATHERS and index == 1:
                table = served.constants.get(node_name(reader.input[0]))
                rows.append(0 if table is None or not table.ndim else len(table))
    return max(2, min(rows, default=2))


def _fading(rank: int) -> Array:
    """A factor for each sample, of the given rank."""
    return np.linspace(1, 1 / PROBES, PROBES).reshape(-1, *[1] * (rank - 1))


def _sample_shape(spec: TensorSpec, served: Graph) -> tuple[int, ...]:
    """The shape of one sample: all of an input whose first dimension is no batch, since no output has as many rows."""
    shape = spec.shape or ()
    rows = {output.shape[0] for output in served.outputs if output.shape}
    own = next(s.shape for s in served.inputs if s.name == spec.name) or (-1,)
    is_waveform = len(shape) == 1 and shape[0] > 1 and shape[0] not in rows
    is_whole = is_waveform or (own[0] != 1 and rows == {1})
    return shape if is_whole else shape[1:]
