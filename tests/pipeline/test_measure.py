"""A file that is not what was written fails its checks, whatever is wrong with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.formats import flatbuffer
from mobile_export.pipeline import Measured, measure, prepare, refer, write
from mobile_export.planning.plan import file_of, request_for
from tests.search.broken import make_target, trained

Ground = tuple[Any, Path, Any]


@pytest.fixture(scope="module")
def ground(tmp_path_factory) -> Ground:
    """Target, work folder and what preparing it gave, of a network that reads digits."""
    root = tmp_path_factory.mktemp("measure")
    target = make_target(root, trained(), 'format = "tflite"')
    folder = root / "work"
    folder.mkdir()
    ready = prepare(target, folder)
    assert refer(target, folder) == []
    return target, folder, ready


def largest(model: Any) -> Any:
    """The buffer with most weights."""
    return max((b for b in model.buffers if b.data is not None), key=lambda buffer: len(buffer.data))


def one_weight(model: Any) -> None:
    """One of the dense layer, whose inputs are 7 × 7 × 32: at the centre, where ink is, and where most was learnt."""
    held = np.frombuffer(bytes(largest(model).data), np.float32).copy()
    centre = held.reshape(10, 49, 32)[:, 24]
    centre[np.unravel_index(np.abs(centre).argmax(), centre.shape)] += 1
    largest(model).data = held.view(np.uint8)


def one_nan(model: Any) -> None:
    held = np.frombuffer(bytes(largest(model).data), np.float32).copy()
    held[0] = np.nan
    largest(model).data = held.view(np.uint8)


def a_sign(model: Any) -> None:
    held = -np.frombuffer(bytes(largest(model).data), np.float32)
    largest(model).data = held.view(np.uint8)


def nothing(model: Any) -> None:
    """Leave it as it is."""


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        (nothing, set()),
        (one_weight, {"max_rel", "sqnr"}),
        (one_nan, {"max_rel", "sqnr", "accuracy_drop"}),
        (a_sign, {"max_rel", "sqnr", "accuracy_drop"}),
    ],
)
def test_a_changed_weight(change: Callable[[Any], None], missed: set[str], ground: Ground, tmp_path: Path) -> None:
    target, folder, ready = ground
    (artifact,) = target.artifacts
    path = tmp_path / Path(file_of(target, artifact)).name
    write("tflite", folder, [request_for(artifact, path)])
    model = flatbuffer.read_model(path.read_bytes())
    change(model)
    path.write_bytes(flatbuffer.write_model(model))
    found: Measured = measure(target, artifact, path, ready.frozen_size, folder)
    assert {m.name for measurements in found.results.values() for m in measurements if not m.passed} == missed
    assert found.passed == (not missed)
