"""Make the three data files of this example from the four files of MNIST.

    python examples/digits/make_data.py FOLDER [--out DIR]

FOLDER holds train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
t10k-labels-idx1-ubyte. No image occurs twice, in one file or in two. The same folder and seed give the same
images in the same order.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

HERE = Path(__file__).resolve().parent
CLASSES = 10
TRAINING, CALIBRATION, EVALUATION = 10_000, 200, 2_000


def read_idx(path: Path) -> Bytes:
    """The array in an IDX file of unsigned bytes."""
    content = path.read_bytes()
    if content[:3] != b"\0\0\x08":
        raise SystemExit(f"{path}: not an IDX file of unsigned bytes (is it still compressed?)")
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).astype(int)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_split(folder: Path, prefix: str) -> tuple[Bytes, Bytes]:
    """Images [N, 28, 28, 1] and labels [N] of one of MNIST's splits."""
    images = read_idx(folder / f"{prefix}-images-idx3-ubyte")[..., np.newaxis]
    return images, read_idx(folder / f"{prefix}-labels-idx1-ubyte")


def shuffled(images: Bytes, seed: int, seen: set[bytes]) -> list[int]:
    """The images that are not in `seen` yet, each once, ordered by a hash of seed and content.

    Unlike a random generator's, this order is the same under every version of NumPy. Adds to `seen`.
    """
    order: dict[bytes, int] = {}
    for index, image in enumerate(images):
        order.setdefault(hashlib.sha256(b"%d:" % seed + image.tobytes()).digest(), index)
    fresh = sorted(order.keys() - seen)
    seen |= order.keys()
    return [order[digest] for digest in fresh]


def take(order: list[int], labels: Bytes, count: int) -> list[int]:
    """Remove from `order`, and return, its first `count` images that give each class the same share."""
    room = dict.fromkeys(range(CLASSES), count // CLASSES)
    taken: list[int] = []
    left: list[int] = []
    for index in order:
        label = int(labels[index])
        (taken if room[label] else left).append(index)
        room[label] = max(room[label] - 1, 0)
    if len(taken) != count:
        raise SystemExit(f"too few images: {count} were asked for, {len(taken)} found")
    order[:] = left
    return taken


def save(path: Path, image: NDArray[Any], label: Bytes) -> None:
    np.savez_compressed(path, image=image, label=label)
    print(f"{path.name}: {len(image)} images, {path.stat().st_size / 1e6:.2f} MB")


def unit(images: Bytes) -> NDArray[np.float32]:
    """Pixels as the graph takes them: float32 from 0 to 1."""
    return images.astype(np.float32) / np.float32(255)


def make_data(folder: Path, out: Path, seed: int = 0) -> None:
    """Write training.npz, calibration.npz and evaluation.npz into `out`."""
    seen: set[bytes] = set()
    images, labels = read_split(folder, "t10k")
    evaluation = take(shuffled(images, seed, seen), labels, EVALUATION)
    save(out / "evaluation.npz", unit(images[evaluation]), labels[evaluation])

    images, labels = read_split(folder, "train")
    order = shuffled(images, seed, seen)
    calibration = take(order, labels, CALIBRATION)
    training = take(order, labels, TRAINING)
    save(out / "calibration.npz", unit(images[calibration]), labels[calibration])
    save(out / "training.npz", images[training], labels[training])


def main() -> None:
    parser = argparse.ArgumentParser(description="Make this example's data files from those of MNIST.")
    parser.add_argument("folder", type=Path, help="folder of MNIST's four files, unpacked")
    parser.add_argument("--out", type=Path, default=HERE, help="where to write (default: beside this file)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    make_data(arguments.folder, arguments.out, arguments.seed)


if __name__ == "__main__":
    main()
