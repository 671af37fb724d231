"""What generators draw, and what is odd and sound."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.data_checks.evidence import digits, evidence, found, pictures

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
GENERATORS: dict[str, Draw] = {
    "random": lambda rng, shape: rng.random(shape),
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "bytes": lambda rng, shape: rng.integers(0, 256, shape, np.uint8),
    "float bytes": lambda rng, shape: rng.integers(0, 256, shape) / 255,
}


@pytest.mark.parametrize("shape", [(40, 16, 16, 3), (40, 28, 28, 1), (8, 64, 64, 4)])
@pytest.mark.parametrize("draw", GENERATORS.values(), ids=GENERATORS)
def test_random_images(draw: Draw, shape: tuple[int, ...]) -> None:
    assert found("noise", evidence(draw(np.random.default_rng(0), shape))) == ["error"]


@pytest.mark.parametrize("shape", [(40, 49, 10), (200, 30), (20, 4000)])
@pytest.mark.parametrize("draw", GENERATORS.values(), ids=GENERATORS)
def test_random_vectors(draw: Draw, shape: tuple[int, ...]) -> None:
    assert found("noise", evidence(draw(np.random.default_rng(0), shape))) == ["warning"]


def test_shuffled_pixels() -> None:
    images = pictures(100).reshape(100, -1)
    rng = np.random.default_rng(0)
    assert found("noise", evidence(rng.permuted(images, axis=1).reshape(100, 16, 16, 3))) == ["warning"]


def rows(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def sparse_spectrograms(rng: np.random.Generator) -> np.ndarray:
    frames = np.zeros((60, 49, 40, 1))
    for frame in frames:
        for _ in range(rng.integers(1, 6)):
            time, pitch = rng.integers(0, 45), rng.integers(0, 38)
            frame[time : time + rng.integers(1, 5), pitch : pitch + 2] = np.exp(rng.normal(0, 1.5))
    return frames


SOUND: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "pictures": lambda rng: pictures(60),
    "byte pictures": lambda rng: (pictures(60) * 255).astype(np.uint8),
    "digits": lambda rng: digits("calibration")["image"],
    "sparse spectrograms": sparse_spectrograms,
    "token ids": lambda rng: np.minimum(rng.zipf(1.3, (60, 64)), 20_000).astype(np.int32),
    "padded token ids": lambda rng: np.where(
        np.arange(64) < rng.integers(5, 64, (60, 1)), rng.integers(1, 9000, (60, 64)), 0
    ),
    "one-hot rows": lambda rng: np.eye(100, dtype=np.float32)[rng.integers(0, 100, (60, 12))],
    "a board": lambda rng: (rng.random((60, 9, 9, 3)) < 0.3).astype(np.float32),
    "categories": lambda rng: rng.integers(0, 10, (200, 8)),
    "correlated features": lambda rng: rng.normal(size=(200, 5)) @ rng.normal(size=(5, 30)),
    "skewed features": lambda rng: np.exp(rng.normal(0, 2, (200, 20))),
    "counts": lambda rng: rng.poisson(0.3, (200, 50)).astype(np.float32),
    "a tone": lambda rng: (
        np.sin(np.arange(4000) * rng.uniform(0.01, 0.5, (20, 1))) + 0.02 * rng.normal(size=(20, 4000))
    ),
    "flags": lambda rng: rng.random((200, 30)) < 0.5,
    "complex numbers": lambda rng: rng.random((200, 30)) + 1j,
    "single numbers": lambda rng: rng.random((2000, 1)),
    "few values": lambda rng: rng.random((20, 10)),
}


@pytest.mark.parametrize("make", SOUND.values(), ids=SOUND)
@pytest.mark.parametrize("seed", [0, 1])
def test_sound_data(make: Callable[[np.random.Generator], np.ndarray], seed: int) -> None:
    assert found("noise", evidence(make(rows(seed)))) == []


@pytest.mark.parametrize("make", SOUND.values(), ids=SOUND)
def test_no_other_check_minds(make: Callable[[np.random.Generator], np.ndarray]) -> None:
    pair = evidence(make(rows(2)), make(rows(3)))
    minded = {name: found(name, pair) for name in ("constant", "likeness", "classes", "saturation", "ranges")}
    assert not any(minded.values()), minded
