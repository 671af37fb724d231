"""The runner over the runtimes of this computer: the same bits; and whatever may go wrong between it and us."""

import os
import struct
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper

from mobile_export.devices.cores import CORES
from mobile_export.devices.emulator import emulate
from mobile_export.devices.installation import Installation
from mobile_export.devices.remote import open_remote, runner_arguments
from mobile_export.devices.selftest import FOLDER, MODELS, Known
from mobile_export.errors import ConversionError, MissingToolError, ModelError, NotRunnableError
from mobile_export.formats import FORMATS
from mobile_export.formats.flatbuffer import schema
from mobile_export.formats.onnx_runner import session_options
from mobile_export.graphs.tensors import Array
from mobile_export.runner import Edge, Runner
from tests.devices.native import SECONDS, command, library, open_native, python, runner
from tests.devices.small_files import TFLiteFile
from tests.devices.spoken import answer, edge, error, model

__all__ = ["runner"]

Feeds = Mapping[str, Array]
RANDOM = np.random.default_rng(0)
DTYPES = "float32 float16 float64 int8 uint8 int16 uint16 int32 uint32 int64 uint64 bool".split()


def real(*shape: int) -> Array:
    return RANDOM.standard_normal(shape).astype(np.float32)


def here(path: Path) -> Runner:
    return FORMATS[path.suffix.removeprefix(".")].open(path, 1)


def answers_as_here(runner: Path, path: Path, *batches: Feeds) -> None:
    """All bits that the file's runtime answers in this process, from one process that is asked for all batches."""
    host = here(path)
    with open_native(runner, path, host) as there:
        assert (there.inputs, there.outputs) == (host.inputs, host.outputs)
        for feeds in batches:
            same(there(feeds), host(feeds))


def same(answers: Feeds, expected: Feeds) -> None:
    assert list(answers) == list(expected)
    for name, value in answers.items():
        assert (value.dtype, value.shape) == (expected[name].dtype, expected[name].shape)
        assert value.tobytes() == expected[name].tobytes(), name


def two_outputs(path: Path, *signatures: str) -> Path:
    """[x - y, x * y], whose signatures list everything backwards."""
    file = TFLiteFile()
    x, y = file.tensor("zx"), file.tensor("ay")
    product = file.operator("MUL", [x, y], file.tensor("product"), schema().MulOptionsT())
    difference = file.operator("SUB", [x, y], file.tensor("difference"), schema().SubOptionsT())
    for key in signatures:
        names = ("a", "b", "c", "d") if key == "serving_default" else ("zx", "ay", "product", "difference")
        file.sign(key, {names[0]: y, names[1]: x}, {names[2]: difference, names[3]: product})
    return file.write(path, [x, y], [product, difference])


def write_onnx(path: Path, nodes: list[Any], inputs: dict[str, tuple[int, list[Any]]], *outputs: str) -> Path:
    """A model whose dimensions are numbers or names; outputs are described by nobody."""
    described = [helper.make_tensor_value_info(name, *spec) for name, spec in inputs.items()]
    graph = helper.make_graph(nodes, "g", described, [helper.make_empty_tensor_value_info(name) for name in outputs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


# The same bits


@pytest.mark.parametrize("model", MODELS)
def test_a_network_answers_the_same_bits(model: str, runner: Path) -> None:
    answers_as_here(runner, FOLDER / model, Known.of(FOLDER / model).feeds)


def test_an_ort_file_answers_the_same_bits(runner: Path, tmp_path: Path) -> None:
    import onnxruntime

    path, options = tmp_path / "all.ort", session_options(1)
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(FOLDER / "all.onnx", options, providers=["CPUExecutionProvider"])
    answers_as_here(runner, path, Known.of(FOLDER / "all.onnx").feeds)


def test_builtin_kernels_are_those_of_an_interpreter_without_xnnpack(runner: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    path = FOLDER / "int8.tflite"
    known = Known.of(path)
    plain = Interpreter(
        str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, num_threads=1
    ).get_signature_runner()
    with open_native(runner, path, known, "builtin") as there:
        answers = there(known.feeds)
    expected = plain(**known.feeds)
    same(answers, {name: expected[name] for name in answers})
    assert any((answers[name] != known.answers[name]).any() for name in answers)  # XNNPACK rounds in another way


def test_the_batch_may_change(runner: Path, tmp_path: Path) -> None:
    tflite = two_outputs(tmp_path / "m.tflite")
    answers_as_here(runner, tflite, *({"zx": real(size, 4), "ay": real(size, 4)} for size in (2, 2, 5, 1, 2)))
    node = helper.make_node("Softmax", ["x"], ["y"])
    path = write_onnx(tmp_path / "m.onnx", [node], {"x": (TensorProto.FLOAT, ["batch", 4])}, "y")
    answers_as_here(runner, path, *({"x": real(size, 4)} for size in (2, 2, 5, 1, 0)))


def test_every_dimension_may_change(runner: Path, tmp_path: Path) -> None:
    file = TFLiteFile()
    x = file.tensor("x", shape=(-1, -1))
    path = file.write(tmp_path / "m.tflite", [x], [file.operator("RELU", [x], file.tensor("y", shape=(-1, -1)))])
    answers_as_here(runner, path, *({"x": real(*shape)} for shape in ((2, 4), (7, 3), (1, 1))))


@pytest.mark.parametrize("signatures", [[], ["other"], ["other", "serving_default"], ["serving_default"]])
def test_names_and_order_are_those_of_this_computer(signatures: list[str], runner: Path, tmp_path: Path) -> None:
    path = two_outputs(tmp_path / "m.tflite", *signatures)
    inputs = [edge.name for edge in here(path).inputs]
    assert inputs == (["b", "a"] if "serving_default" in signatures else ["zx", "ay"])
    answers_as_here(runner, path, *({name: real(size, 4) for name in inputs} for size in (1, 3)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_elements_of_every_type(dtype: str, kind: str, runner: Path, tmp_path: Path) -> None:
    path = tmp_path / f"m.{kind}"
    if kind == "onnx":
        element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        write_onnx(path, [helper.make_node("Transpose", ["x"], ["y"])], {"x": (element, ["batch", 4])}, "y")
    else:
        file = TFLiteFile()
        sizes = file.tensor("sizes", "int32", (2,), np.array([-1, 2], np.int32))
        x, y = file.tensor("x", dtype), file.tensor("y", dtype, (-1, 2))
        file.write(path, [x], [file.operator("RESHAPE", [x, sizes], y, schema().ReshapeOptionsT())])
    answers_as_here(runner, path, {"x": RANDOM.integers(0, 120, (3, 4)).astype(dtype)})


def test_a_scalar(runner: Path, tmp_path: Path) -> None:
    file = TFLiteFile()
    x, y = file.tensor("x", shape=()), file.tensor("y")
    path = file.write(
        tmp_path / "m.tflite", [x, y], [file.operator("MUL", [x, y], file.tensor("z"), schema().MulOptionsT())]
    )
    answers_as_here(runner, path, {"x": real(), "y": real(2, 4)})


def test_one_tensor_may_be_several_edges(runner: Path, tmp_path: Path) -> None:
    file = TFLiteFile()
    x, y = file.tensor("x"), file.tensor("y")
    file.operator("RELU", [x], y)
    constant = file.tensor("c", shape=(2, 3), content=real(2, 3))
    path = file.write(tmp_path / "m.tflite", [x], [y, x, y, constant])
    answers_as_here(runner, path, *({"x": real(size, 4)} for size in (2, 2, 3)))


@pytest.mark.parametrize("mark", [0xA5, 0x5A])
def test_an_answer_may_be_what_buffers_are_marked_with(mark: int, runner: Path, tmp_path: Path) -> None:
    file = TFLiteFile()
    x, y = file.tensor("x", "uint8"), file.tensor("y", "uint8", (-1, 2))
    sizes = file.tensor("sizes", "int32", (2,), np.array([-1, 2], np.int32))
    path = file.write(tmp_path / "m.tflite", [x], [file.operator("RESHAPE", [x, sizes], y, schema().ReshapeOptionsT())])
    answers_as_here(runner, path, {"x": np.full((2, 4), mark, np.uint8)})


def test_an_output_of_onnx_may_have_any_size(runner: Path, tmp_path: Path) -> None:
    node = helper.make_node("NonZero", ["x"], ["y"])
    path = write_onnx(tmp_path / "m.onnx", [node], {"x": (TensorProto.FLOAT, ["batch", 4])}, "y")
    answers_as_here(runner, path, *({"x": (real(2, 4) > limit).astype(np.float32)} for limit in (0, 0.5, 9)))


# What the runner refuses


def where(file: TFLiteFile) -> tuple[list[int], list[int]]:
    x = file.tensor("x", "bool", (6,))
    return [x], [file.operator("WHERE", [x], file.tensor("y", "int64", (-1, 1)))]


def reshape_as_told(file: TFLiteFile) -> tuple[list[int], list[int]]:
    x, sizes = file.tensor("x", shape=(6,)), file.tensor("sizes", "int32", (2,))
    y = file.tensor("y", shape=(-1, -1))
    return [x, sizes], [file.operator("RESHAPE", [x, sizes], y, schema().ReshapeOptionsT())]


@pytest.mark.parametrize(
    ("build", "feeds"),
    [
        (where, {"x": np.ones(6, bool)}),
        (reshape_as_told, {"x": real(6), "sizes": np.array([2, 3], np.int32)}),
        (reshape_as_told, {"x": real(6), "sizes": np.array([1, 6], np.int32)}),
    ],
)
def test_an_output_of_tflite_whose_size_only_the_run_decides_is_refused(
    build: Callable[[TFLiteFile], tuple[list[int], list[int]]], feeds: Feeds, runner: Path, tmp_path: Path
) -> None:
    file = TFLiteFile()
    path = file.write(tmp_path / "m.tflite", *build(file))
    with (
        open_native(runner, path, here(path)) as there,
        pytest.raises(NotRunnableError, match="sizes that are known only after the run"),
    ):
        there(feeds)


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_strings_are_refused(kind: str, runner: Path, tmp_path: Path) -> None:
    path = tmp_path / f"m.{kind}"
    if kind == "onnx":
        write_onnx(path, [helper.make_node("Identity", ["x"], ["y"])], {"x": (TensorProto.STRING, [2])}, "y")
    else:
        file = TFLiteFile()
        x, sizes = file.tensor("x", "string", (2,)), file.tensor("n", "int32", (2,), np.array([1, 2], np.int32))
        y = file.tensor("y", "string", (1, 2))
        file.write(path, [x], [file.operator("RESHAPE", [x, sizes], y, schema().ReshapeOptionsT())])
    with (
        pytest.raises(NotRunnableError, match=r"^x has elements of type string"),
        open_native(runner, path, here(path)),
    ):
        pass


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("tflite", b"x" * 5000, "no.tflite there: .*cannot be read.*should be 'TFL3'"),
        ("tflite", b"", "no.tflite there: .*cannot be read"),
        ("onnx", b"x" * 5000, "no.onnx there: .*failed:No graph was found in the protobuf"),
        ("ort", b"x" * 5000, "no.ort there: "),
    ],
)
def test_a_damaged_file_is_refused_in_the_words_of_its_runtime(
    kind: str, content: bytes, said: str, runner: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"no.{kind}"
    path.write_bytes(content)
    with pytest.raises(ConversionError, match=said), open_native(runner, path, Known.of(FOLDER / "all.onnx")):
        pass


def test_a_runtime_that_crashes_is_told(runner: Path, tmp_path: Path) -> None:
    file = TFLiteFile()
    x, y = file.tensor("same name"), file.tensor("same name")
    path = file.write(tmp_path / "m.tflite", [x, y], [file.operator("MUL", [x, y], file.tensor("z"))])
    with (
        open_native(runner, path, here(path)) as there,
        pytest.raises(ConversionError, match=r"m.tflite there: it ended with signal SIG\w+"),
    ):
        there({"same name": real(1, 4)})
    assert [left.name for left in tmp_path.iterdir()] == ["m.tflite"]


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_inputs_of_another_size_or_type_are_refused(kind: str, runner: Path) -> None:
    path = FOLDER / ("float32.tflite" if kind == "tflite" else "all.onnx")
    known = Known.of(path)
    name = known.inputs[0].name
    for wrong in (real(3, 17, 18, 3), real(3, 18), real(2, 18, 18, 3), real(*[1] * 9)):
        with (
            open_native(runner, path, known) as there,
            pytest.raises(ConversionError, match=f"{path.name} there: .*{name}"),
        ):
            there({**known.feeds, name: wrong})
    with open_native(runner, path, known) as there:
        with pytest.raises(ModelError, match=f"input '{name}' takes float32, not float64"):
            there({**known.feeds, name: known.feeds[name].astype(np.float64)})
        same(there(known.feeds), here(path)(known.feeds))  # nothing was sent


def test_after_an_error_there_are_no_more_answers(runner: Path) -> None:
    path = FOLDER / "all.onnx"
    known = Known.of(path)
    with open_native(runner, path, known) as there:
        for _ in range(2):
            with pytest.raises(ConversionError, match=r"all.onnx there: "):
                there({**known.feeds, known.inputs[0].name: real(1, 1)})
        with pytest.raises(ConversionError, match="it ended with code 1"):
            there(known.feeds)


@pytest.mark.parametrize(
    ("place", "word", "said"),
    [
        (1, "tensorrt", "there is no runtime tensorrt"),
        (2, "/nowhere/lib.so", "/nowhere/lib.so: cannot open shared object file"),
        (2, str(library("onnx")), "the library has no LiteRtCreateEnvironment: it is of another version"),
        (4, "many", "many is no number of threads"),
        (5, "handwritten", "LiteRT has no kernels handwritten"),
    ],
)
def test_wrong_arguments_are_named(place: int, word: str, said: str, runner: Path) -> None:
    path = FOLDER / "float32.tflite"
    words = command(runner, path)
    words[place] = word
    with pytest.raises(ConversionError, match=said), open_remote(words, Known.of(path), "m", SECONDS):
        pass


REQUEST = struct.pack("<III4Q", 5, 1, 4, 3, 18, 18, 3)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"hello, world", b"what comes in is no request"),
        (b"he", b"what comes in is no request"),
        (REQUEST, b"ends too early"),
        (REQUEST[:20], b"ends too early"),
        (REQUEST + bytes(100), b"ends too early"),
        (struct.pack("<III4Q", 5, 7, 4, 3, 18, 18, 3), b"the request brings type 7"),
        (struct.pack("<III", 5, 1, 2**32 - 1), b"is sent with 4294967295 dimensions"),
        (struct.pack("<III4Q", 5, 1, 4, 2**62, 2**62, 18, 3), b"the sizes of float32_image make no sense"),
        (struct.pack("<III1q", 5, 1, 1, -1), b"the sizes of float32_image make no sense"),
        (struct.pack("<III1Q", 5, 1, 1, 2**28) + bytes(64), b"ends too early"),
    ],
)
def test_the_runner_believes_no_request(sent: bytes, said: bytes, runner: Path, tmp_path: Path) -> None:
    (tmp_path / "requests").write_bytes(sent)
    with (tmp_path / "requests").open("rb") as requests:
        ended = subprocess.run(
            command(runner, FOLDER / "float32.tflite"),
            stdin=requests,
            capture_output=True,
            timeout=SECONDS,
            cwd=tmp_path,
        )
    assert ended.returncode == 1
    assert said in ended.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["requests"]


def test_onnx_runtime_has_one_kind_of_kernels(runner: Path) -> None:
    path = FOLDER / "all.onnx"
    with (
        pytest.raises(ConversionError, match=r"all.onnx there: ONNX Runtime has no kernels builtin$"),
        open_native(runner, path, Known.of(path), "builtin"),
    ):
        pass


def test_without_arguments_the_runner_says_how_it_is_used(runner: Path) -> None:
    ended = subprocess.run([runner], capture_output=True, timeout=SECONDS)
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert ended.stderr.startswith(b"usage: runner litert|onnxruntime LIBRARY MODEL THREADS KERNELS")


# What a process sends, dies of, and takes


class Host:
    """What a file has here."""

    inputs = (Edge("x", "float32", (-1, 2)),)
    outputs = (Edge("y", "float32", (-1, 2)),)


X = {"x": np.ones((1, 2), np.float32)}


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "^m: it ended with code 0$"),
        (model()[:-1], "^m: it ended with code 0$"),
        (b"hello, world", "^m: what answers is no runner of this version, for it begins with b'hell'$"),
        (b"MXR1" + error(b"no model at all"), "^m: no model at all$"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(sent: bytes, said: str) -> None:
    with pytest.raises(ConversionError, match=said):  # noqa: SIM117
        with open_remote(python(f"out({sent!r})"), Host(), "m", SECONDS):
            pass


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "^m: it ended with code 0$"),
        (answer(2**20, 2**40), "^m: output 'y', which is float32, is answered by float32 .1048576, "),
        (answer(2**27, 2) + bytes(64), "^m: it ended with code 0$"),  # takes memory for 64 bytes
        (error(b"the operator fails"), "^m: the operator fails$"),
    ],
)
def test_what_is_wrong_with_an_answer_is_told(sent: bytes, said: str) -> None:
    script = f"out({model()!r})\nsys.stdin.buffer.read(1)\nout({sent!r})"
    with open_remote(python(script), Host(), "m", SECONDS) as there, pytest.raises(ConversionError, match=said):
        there(X)


def test_what_the_runner_cannot_carry_is_not_runnable() -> None:
    sent = b"MXR1" + error(b"y has elements of type string", 4)
    with pytest.raises(NotRunnableError, match=r"^y has elements of type string$"):  # noqa: SIM117
        with open_remote(python(f"out({sent!r})"), Host(), "m", SECONDS):
            pass


def test_answers_are_in_the_order_of_this_computer() -> None:
    class Two:
        inputs = ()
        outputs = (Edge("a", "float32", (1,)), Edge("b", "float32", (1,)))

    for names, expected in (((b"b", b"a"), [2, 1]), ((b"s:0", b"t:0"), [1, 2])):
        edges, values = [edge(name, 1, 1) for name in names], struct.pack("<IIIqfIIqf", 2, 1, 1, 1, 1, 1, 1, 1, 2)
        sent = model(*edges, counts=(0, 2)) + values
        with open_remote(python(f"out({sent!r})\nsys.stdin.buffer.read(1)"), Two(), "m", SECONDS) as there:
            answers = there({})
        assert list(answers) == ["a", "b"]
        assert [float(value[0]) for value in answers.values()] == expected


# Time, and ways out


def gone(pid: int) -> bool:
    """Whether a process ends, or has ended, soon; whoever is its parent may take their time to notice."""
    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_loading_has_its_time() -> None:
    with pytest.raises(ConversionError, match=r"^m: no answer within 0.3 seconds$"):  # noqa: SIM117
        with open_remote(python("time.sleep(60)"), Host(), "m", 0.3):
            pass


@pytest.mark.parametrize("feeds", [X, {"x": np.ones((2**20, 2), np.float32)}])
def test_an_answer_has_its_time_even_where_the_request_is_not_read(feeds: Feeds) -> None:
    script = f"out({model()!r})\ntime.sleep(60)"
    with (
        open_remote(python(script), Host(), "m", 0.5) as there,
        pytest.raises(ConversionError, match=r"^m: no answer within 0.5 seconds$"),
    ):
        there(feeds)


def test_all_answers_have_one_time_and_it_is_told_how_many_came() -> None:
    one = answer(1, 2) + bytes(8)
    script = f"out({model()!r})\nfor _ in range(2):\n    os.read(0, 100)\n    out({one!r})\ntime.sleep(60)"
    with open_remote(python(script), Host(), "m", 2.0) as there:
        for _ in range(2):
            time.sleep(0.1)
            there(X)
        begun = time.monotonic()
        with pytest.raises(ConversionError) as late:
            there(X)
    assert time.monotonic() - begun < 1.9
    told = "m: only 2 answers came within 2 seconds; run fewer samples: in a target, lower samples in [device]"
    assert str(late.value) == told


@pytest.mark.skipif(os.name != "posix", reason="not run here: shells are of POSIX")
def test_time_ends_what_a_wrapper_has_started() -> None:
    begun = time.monotonic()
    with pytest.raises(ConversionError, match=r"^m: no answer within 0.3 seconds$"):  # noqa: SIM117
        with open_remote(["/bin/sh", "-c", "sleep 20; true"], Host(), "m", 0.3):
            pass
    assert time.monotonic() - begun < 4


@pytest.mark.skipif(os.name != "posix", reason="not run here: shells are of POSIX")
def test_nothing_is_left_of_what_a_wrapper_has_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"open(sys.argv[1], 'w').write(str(os.getpid()))\nout({model()!r})\ntime.sleep(60)"
    wrapper = ["/bin/sh", "-c", '"$@"; true', "sh", *python(script, str(pid))]
    with pytest.raises(KeyboardInterrupt), open_remote(wrapper, Host(), "m", SECONDS):
        raise KeyboardInterrupt
    assert gone(int(pid.read_text()))


def test_a_runner_that_dies_is_told_with_what_it_said_last() -> None:
    last = "dying\\nqemu: uncaught target signal 6 (Aborted) - core dumped\\n"
    talk = f"print('chatter ' * 10**6, file=sys.stderr)\nos.write(2, b'{last}')\nos.kill(os.getpid(), 6)"
    script = f"out({model()!r})\n{talk}"
    with (
        open_remote(python(script), Host(), "m", SECONDS) as there,
        pytest.raises(ConversionError, match=r"^m: it ended with signal SIGABRT: dying$"),
    ):
        there(X)


def test_a_command_that_is_not_there_is_missing() -> None:
    with pytest.raises(MissingToolError, match=r"^/nowhere/qemu: cannot be started: No such file"):  # noqa: SIM117
        with open_remote(["/nowhere/qemu", "runner"], Host(), "m", SECONDS):
            pass


def test_nothing_is_left_running(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"open(sys.argv[1], 'w').write(str(os.getpid()))\nout({model()!r})\ntime.sleep(60)"
    with pytest.raises(KeyboardInterrupt), open_remote(python(script, str(pid)), Host(), "m", SECONDS):
        raise KeyboardInterrupt
    assert gone(int(pid.read_text()))


def endless(path: Path) -> Path:
    """A model that counts to 2^62."""
    state = [helper.make_tensor_value_info(n, t, []) for n, t in (("i", 7), ("go", 9), ("sum", 7))]
    result = [helper.make_tensor_value_info(n, t, []) for n, t in (("go_on", 9), ("more", 7))]
    nodes = [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Add", ["sum", "i"], ["more"])]
    constants = [
        helper.make_tensor("times", TensorProto.INT64, [], [2**62]),
        helper.make_tensor("true", TensorProto.BOOL, [], [True]),
    ]
    loop = helper.make_node("Loop", ["times", "true", "x"], ["y"], body=helper.make_graph(nodes, "b", state, result))
    edges = [helper.make_tensor_value_info(name, TensorProto.INT64, []) for name in "xy"]
    graph = helper.make_graph([loop], "g", edges[:1], edges[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def ends_with_its_input(words: list[str]) -> None:
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(struct.pack("<IIIq", 5, 10, 0, 1))
        process.stdin.flush()
        assert process.stdout.read(4) == b"MXR1"
        time.sleep(0.3)
        assert process.poll() is None
        process.stdin.close()  # as the system does when whoever asks is killed
        assert process.wait(SECONDS) == 1


def test_the_runner_ends_with_its_input_even_while_it_computes(runner: Path, tmp_path: Path) -> None:
    ends_with_its_input(command(runner, endless(tmp_path / "endless.onnx")))


def test_it_does_so_when_it_is_emulated(installation: Installation, tmp_path: Path) -> None:
    core = CORES["cortex-a53"]
    core.write_files(tmp_path)
    (tmp_path / "lib").symlink_to(installation.root.absolute() / "lib")
    arguments = runner_arguments("onnx", installation.onnxruntime, endless(tmp_path / "endless.onnx"))
    ends_with_its_input([*emulate(installation.emulator, core, tmp_path), str(installation.runner), *arguments])


def test_a_model_without_end_has_its_time(runner: Path, tmp_path: Path) -> None:
    path = endless(tmp_path / "endless.onnx")
    with (
        open_remote(command(runner, path), here(path), "m", 1.5) as there,
        pytest.raises(ConversionError, match=r"^m: no answer within 1.5 seconds$"),
    ):
        there({"x": np.array(0)})


def test_the_runner_ends_when_nobody_reads(runner: Path) -> None:
    with subprocess.Popen(
        command(runner, FOLDER / "int8.tflite"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(SECONDS) == 1
