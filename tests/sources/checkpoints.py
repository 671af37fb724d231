"""Checkpoints as TensorFlow writes them, and tables as nobody writes them."""

import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import tensorflow as tf

from mobile_export.checkpoints.table import checksum

tf1 = tf.compat.v1


def save_variables(
    prefix: Path, build: Callable[[], object], sharded: bool = False, version: int = tf1.train.SaverDef.V2
) -> Path:
    """Save what `build` makes, trained for real: by a Saver in a session with two devices; the path that it returns."""
    with tf.Graph().as_default():
        tf1.set_random_seed(3)
        build()
        saver = tf1.train.Saver(sharded=sharded, write_version=version)
        with tf1.Session(config=tf1.ConfigProto(device_count={"CPU": 2})) as session:
            session.run(tf1.global_variables_initializer())
            return Path(saver.save(session, str(prefix), write_meta_graph=False))


def variables(use_resource: bool) -> None:
    for name, shape in (("conv/weights", [3, 3, 2, 8]), ("conv/biases", [8]), ("step", []), ("none", [0, 4])):
        initializer = tf1.random_normal_initializer()
        tf1.get_variable(name, shape, initializer=initializer, use_resource=use_resource)


# Tables with right checksums, whatever is in them


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def block(items: Iterable[tuple[bytes, bytes]], compression: int = 0) -> bytes:
    body = b"".join(varint(0) + varint(len(k)) + varint(len(v)) + k + v for k, v in items)
    return sealed(body + struct.pack("<II", 0, 1), compression)


def sealed(body: bytes, compression: int = 0) -> bytes:
    body += bytes([compression])
    return body + struct.pack("<I", checksum(body))


def handle(offset: int, block: bytes) -> bytes:
    return varint(offset) + varint(len(block) - 5)


def table(data: bytes, blocks: list[bytes] | None = None) -> bytes:
    """The data block `data`, filed under the handles `blocks`."""
    index = block((b"\xff" + bytes([i]), h) for i, h in enumerate(blocks or [handle(0, data)]))
    footer = varint(0) + varint(0) + handle(len(data), index)
    return data + index + footer.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")
