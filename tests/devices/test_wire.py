"""What goes over the wire: through files, too; and that nothing which comes from there is believed."""

import struct
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from mobile_export.devices.selftest import FOLDER, Known
from mobile_export.devices.wire import Edged, read_answers, read_edges, write_requests
from mobile_export.errors import ConversionError, ModelError, NotRunnableError
from mobile_export.formats import FORMATS
from mobile_export.runner import Edge
from mobile_export.samples import Samples
from tests.devices.native import SECONDS, command, runner
from tests.devices.spoken import answer, edge, error, model

__all__ = ["runner"]


class Host:
    """What a file has here."""

    inputs = (Edge("x", "float32", (-1, 2)),)
    outputs = (Edge("y", "float32", (-1, 2)),)


def read(sent: bytes, host: Edged | None = None) -> list[Samples]:
    return list(read_answers(BytesIO(sent), host or Host(), "m"))


# Files instead of pipes


def through_files(runner: Path, path: Path, batches: list[Samples], folder: Path) -> Path:
    known = Known.of(path)
    with (folder / "requests").open("wb") as requests:
        write_requests(requests, known, batches, path.name)
    with (folder / "requests").open("rb") as requests, (folder / "answers").open("wb") as answers:
        subprocess.run(
            command(runner, path),
            stdin=requests,
            stdout=answers,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    return folder / "answers"


@pytest.mark.parametrize("name", ["int8.tflite", "all.onnx"])
def test_requests_and_answers_may_be_files(name: str, runner: Path, tmp_path: Path) -> None:
    path = FOLDER / name
    known, host = Known.of(path), FORMATS[path.suffix[1:]].open(path, 1)
    batches = [dict(known.feeds), {name: value[::-1].copy() for name, value in known.feeds.items()}]
    written = through_files(runner, path, batches, tmp_path).read_bytes()
    for feeds, answers in zip(batches, read(written, known), strict=True):
        expected = host(feeds)
        assert {n: value.tobytes() for n, value in answers.items()} == {n: v.tobytes() for n, v in expected.items()}
    assert read_edges(BytesIO(written), known, name).inputs == known.inputs


def test_an_error_in_a_file_is_told(runner: Path, tmp_path: Path) -> None:
    known = Known.of(FOLDER / "all.onnx")
    wrong = {**known.feeds, known.inputs[0].name: np.zeros((1, 1), np.float32)}
    written = through_files(runner, FOLDER / "all.onnx", [dict(known.feeds), wrong], tmp_path)
    with written.open("rb") as answers:
        found = read_answers(answers, known, "m")
        next(found)
        with pytest.raises(ConversionError, match="m: Invalid rank for input"):
            next(found)


def test_an_input_of_another_type_is_not_sent() -> None:
    requests = BytesIO()
    with pytest.raises(ModelError, match="m: input 'x' takes float32, not int8"):
        write_requests(requests, Host(), [{"x": np.zeros((1, 2), np.int8)}], "m")


# What is not believed


WHOLE = model() + answer(3, 2) + bytes(24) + answer(0, 2) + answer(1, 2) + bytes(8)


def test_answers_come_as_they_were_sent() -> None:
    assert [answers["y"].shape for answers in read(WHOLE)] == [(3, 2), (0, 2), (1, 2)]
    assert read(model()) == []


def test_wherever_the_answers_end_in_the_middle_that_is_told() -> None:
    ends = {len(model()), len(model()) + len(answer(3, 2)) + 24}
    ends.add(max(ends) + len(answer(0, 2)))
    for size in set(range(len(WHOLE))) - ends:
        with pytest.raises(ConversionError, match=r"^m: the answers end in the middle$"):
            read(WHOLE[:size])


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"MXR2" + bytes(100), "no runner of this version, for it begins with b'MXR2'"),
        (model(counts=(2**31, 2**31)), "the file has 2147483648 inputs and 2147483648 outputs there"),
        (model(struct.pack("<I", 2**32 - 1)), "a text of 4294967295 bytes"),
        (model(edge(), edge(b"y", 0)), "element type 0 in 2 dimensions"),
        (model(edge(), edge(b"y", 13)), "element type 13 in 2 dimensions"),
        (model(edge(), edge(b"y", 1, *[1] * 33)), "element type 1 in 33 dimensions"),
        (model(edge(), edge(b"y", 4)), r"'y' is float32 \[-1, 2\] here, and 'y' is int8 \[-1, 2\] there"),
        (model(edge(), edge(b"\x1b[2J", 1, -1, 3)), r"and '\?\[2J' is float32 \[-1, 3\] there"),
        (model(edge(), edge(b"y", 1, 2)), r"'y' is float32 \[-1, 2\] here, and 'y' is float32 \[2\] there"),
        (b"MXR1" + error(b"no \x1b[31m model\nat all"), r"^m: no \?\[31m model at all$"),
        (b"MXR1" + error(b"\xff" * 2000), "^m: .{,500}$"),
        (b"MXR1" + struct.pack("<I", 9), "sends message 9 for 1"),
        (model() + answer(2**20, 2**40), r"output 'y', which is float32, is answered by float32 \[1048576, 1099511"),
        (model() + answer(0, 2**62), r"is answered by float32 \[0, 4611686018427387904\]"),
        (model() + answer(0, 2**31, 2**31, 2**31), r"is answered by float32 \[0, 2147483648, "),
        (model() + answer(-1, -2), r"is answered by float32 \[-1, -2\]"),
        (model() + answer(1, 2, code=4) + bytes(2), r"is answered by int8 \[1, 2\]"),
        (model() + struct.pack("<III", 2, 1, 99), "element type 1 in 99 dimensions"),
        (model() + answer(2**27, 2) + bytes(64), "the answers end in the middle"),  # takes memory for 64 bytes
        (model() + answer(1, 2) + bytes(8) + b"more", "sends message 1701998445 for 2"),
    ],
)
def test_what_makes_no_sense_is_refused(sent: bytes, said: str) -> None:
    with pytest.raises(ConversionError, match=said):
        read(sent)


def test_what_the_runner_cannot_carry_is_not_runnable() -> None:
    with pytest.raises(NotRunnableError, match=r"^y has elements of type string$"):
        read(model() + error(b"y has elements of type string", 4))


def test_edges_are_matched_by_name_or_else_by_order() -> None:
    class Two:
        inputs = (Edge("a", "float32", (1,)), Edge("b", "float32", (1,)))
        outputs = ()

    def order(*names: bytes) -> list[str]:
        sent = BytesIO(model(*(edge(name, 1, 1) for name in names), counts=(2, 0)))
        return [found.name for found in read_edges(sent, Two(), "m").inputs]

    assert order(b"b", b"a") == ["b", "a"]
    assert order(b"s:0", b"t:0") == ["a", "b"]
    assert order(b"a", b"a") == ["a", "b"]


def test_a_file_may_say_less_of_shapes_than_this_computer() -> None:
    class Known:
        inputs = ()
        outputs = (Edge("y", "float32", None), Edge("z", "float32", (3, 2)))

    read_edges(BytesIO(model(edge(b"y", 1, 7), edge(b"z", 1, -1, 2), counts=(0, 2))), Known(), "m")
