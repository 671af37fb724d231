"""Golden vectors, read back byte by byte as an app reads them."""

import struct
from typing import Any

import numpy as np

from mobile_export.apps import generate
from mobile_export.apps.interface import interface_of
from mobile_export.apps.vectors import MAGIC, golden_vectors
from mobile_export.published.manifest import Manifest
from tests.apps.manifests import entry, manifest

IMAGE = np.arange(8, dtype=np.float32).reshape(2, 4)
CLASSES = np.array([[0.25, 0.75], [1, 0]], np.float32)


def read(vectors: bytes, ports: list[str]) -> list[list[Any]]:
    """The runs in a file, a list of arrays each."""
    assert vectors[:8] == MAGIC
    (count,) = struct.unpack_from("<I", vectors, 40)
    at, runs = 44, []
    for _ in range(count):
        run = []
        for dtype in ports:
            (size,) = struct.unpack_from("<I", vectors, at)
            run.append(np.frombuffer(vectors, np.dtype(dtype).newbyteorder("<"), size, at + 4))
            at += 4 + run[-1].nbytes
        runs.append(run)
    assert at == len(vectors)
    return runs


def vectors_of(whole: Manifest, golden: dict[str, Any]) -> bytes | None:
    interface = interface_of(whole)
    return golden_vectors(interface, interface.variants[0], golden)


def test_every_sample_is_a_run() -> None:
    found = vectors_of(manifest(entry("a", "tflite")), {"inputs/image": IMAGE, "answers/a/classes": CLASSES})
    assert found is not None
    assert found[8:40] == bytes(32)
    runs = read(found, ["f4", "f4"])
    np.testing.assert_array_equal([run[0] for run in runs], IMAGE)
    np.testing.assert_array_equal([run[1] for run in runs], CLASSES)


def test_raw_values_are_given_where_the_class_preprocesses() -> None:
    golden = {"inputs/image": IMAGE / 255, "raw/image": IMAGE.astype(np.uint8), "answers/a/classes": CLASSES}
    found = vectors_of(manifest(entry("a", "tflite")), golden)
    assert found is not None
    np.testing.assert_array_equal(read(found, ["f4", "f4"])[1][0], IMAGE[1])


def test_a_fixed_batch_is_filled_with_the_last_sample() -> None:
    three = {"inputs/image": np.vstack([IMAGE, IMAGE[:1]]), "answers/a/classes": np.vstack([CLASSES, CLASSES[:1]])}
    whole = manifest(entry("a", "tflite", shape=(2, 4)))
    (whole_entry,) = whole.artifacts
    outputs = (whole_entry.outputs[0].model_copy(update={"shape": (2, 2)}),)
    batched = whole.model_copy(update={"artifacts": (whole_entry.model_copy(update={"outputs": outputs}),)})
    found = vectors_of(batched, three)
    assert found is not None
    runs = read(found, ["f4", "f4"])
    assert len(runs) == 2
    np.testing.assert_array_equal(runs[1][0].reshape(2, 4), IMAGE[[0, 0]])


def test_whole_inputs_without_a_batch() -> None:
    golden = {"inputs/image": IMAGE, "answers/a/classes": CLASSES}
    found = vectors_of(manifest(entry("a", "tflite", shape=(4,))), golden)
    assert found is not None
    np.testing.assert_array_equal(read(found, ["f4", "f4"])[1][0], IMAGE[1])


def test_nothing_where_no_answers_were_recorded() -> None:
    assert vectors_of(manifest(entry("a", "tflite")), {"inputs/image": IMAGE}) is None
    uneven = {"inputs/image": IMAGE, "answers/a/classes": CLASSES[:1]}
    assert vectors_of(manifest(entry("a", "tflite")), uneven) is None


def test_generated_files_are_the_same_twice_and_none_without_an_app() -> None:
    golden = {"inputs/image": IMAGE, "answers/a/classes": CLASSES}
    whole = manifest(entry("a", "tflite"), app={"class_name": "Demo"})
    files = generate(whole, golden)
    assert list(files) == ["test_assets/models/demo/a.golden"]
    assert generate(whole, golden) == files
    assert generate(whole.model_copy(update={"app": None}), golden) == {}
