"""Generated Kotlin, compiled against the classes of Android and of the runtimes, and run on a JVM in ONNX Runtime.

LiteRT's classes are not run: the Interpreter's are Android's alone, and for CompiledModel there are declarations.
"""

import json
import struct
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from mobile_export.apps.interface import Interface, Port, Variant, interface_of
from mobile_export.apps.kotlin import Kotlin
from mobile_export.apps.vectors import golden_vectors
from mobile_export.data.preprocess import preprocess
from mobile_export.formats.onnx_runner import OnnxRunner
from mobile_export.graphs.tensors import Array
from mobile_export.published.manifest import EdgeEntry, Manifest, PreprocessingEntry, load_manifest
from mobile_export.runner import Edge
from mobile_export.target import Preprocessing
from tests.apps.manifests import entry, manifest
from tests.toolchains import not_run, toolchain

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent / "jvm"
BGR = {"scale": 0.00392156862, "mean": (0.406, 0.456, 0.485), "std": (0.225, 0.224, 0.229), "channel_order": "bgr"}
LABELS = ('"quoted" $name ${1 + 1}', "back\\slash\t*/ /* //", 'ünï 😀\u202e"""\r\n')
EXACT = ("Close", "Data", "this", "run_", "wait", "object")
"""Outputs that are no real numbers."""
MANY = tuple(f"number {i}" for i in range(20_000))

INPUTS = "[1,3] run, float i, double[2] a_b, int64[2] aB, int32[2] it, int16[2] value, uint8[2] class_, bool[2] session"
OUTPUTS = "int64[1] Close, double[2] at, int64[2] Data, int32[2] this, int16[2] run_, uint8[2] wait, bool[2] object"
OPEN = """<ir_version: 10, opset_import: ["" : 21]>
open (float[n,3] rows) => (int64[n] largest) { largest = ArgMax<axis=1, keepdims=0>(rows) }"""
BODY = """
    axes = Constant<value_ints=[1, 2]>()
    mean = ReduceMean<keepdims=0>(image, axes)
    more = Mul(rows, i)
    sums = Add(mean, more)
    Close = ArgMax<axis=1, keepdims=0>(sums)
    at = Neg(a_b)
    Data = Neg(aB)
    this = Neg(it)
    run_ = Identity(value)
    wait = Identity(class_)
    object = Not(session)
"""
PLAIN = f"""<ir_version: 10, opset_import: ["" : 21]>
plain (float[1,2,2,3] class, float{INPUTS}) => (float[1,3] data, {OUTPUTS}) {{
    image = Identity(class)
    rows = Identity(run)
    {BODY}
    data = Identity(sums)
}}"""
INTEGERS = f"""<ir_version: 10, opset_import: ["" : 21]>
integers (uint8[1,2,2,3] class, int8{INPUTS}) => (int16[1,3] data, {OUTPUTS})
<float of_class = {{0.02}}, uint8 zero_of_class = {{117}}, float of_run = {{0.05}}, int8 zero_of_run = {{-7}},
 float of_data = {{0.0005}}, int16 zero_of_data = {{11}}> {{
    image = DequantizeLinear(class, of_class, zero_of_class)
    rows = DequantizeLinear(run, of_run, zero_of_run)
    {BODY}
    data = QuantizeLinear(sums, of_data, zero_of_data)
}}"""
SCALES = {"class": (0.02, 117), "run": (0.05, -7), "data": (0.0005, 11)}
"""Of the edges of INTEGERS, each with its zero point."""


@dataclass
class Program:
    """The compiled driver, which answers a line of words with a line."""

    process: subprocess.Popen[str]

    def __call__(self, *words: object) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@pytest.fixture(scope="module")
def android(example: Path) -> Path:
    """The published folder of the demo's target for Android."""
    return example / "out" / "android"


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two files of one model that has names and types of all sorts, generated Kotlin, and vectors."""
    folder = tmp_path_factory.mktemp("nasty")
    whole = write_models(folder)
    interface = interface_of(whole)
    for model in (interface, many(), every_type(), open_sizes(folder)):
        for path, text in Kotlin().generate(model).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8", newline="\n")
    for variant in interface.variants:
        (folder / f"{variant.name}.golden").write_bytes(vectors_of(interface, variant, folder))
    return folder


def write_models(folder: Path) -> Manifest:
    """Write PLAIN and INTEGERS, and describe them as a build does."""
    import onnx

    entries = []
    for name, text in (("plain", PLAIN), ("integers", INTEGERS)):
        file = folder / f"{name}.onnx"
        model = onnx.parser.parse_model(text)
        onnx.checker.check_model(model, full_check=True)
        file.write_bytes(model.SerializeToString())
        runner = OnnxRunner(file)
        sides = {"inputs": edges(name, runner.inputs), "outputs": edges(name, runner.outputs)}
        facts = {"sha256": sha256(file.read_bytes()).hexdigest(), "bytes": file.stat().st_size}
        entries.append(entry(name, "onnx").model_copy(update={**sides, **facts}))
    return manifest(
        *entries,
        app={"class_name": "Nasty", "kotlin_package": "com.example.in.nasty"},
        preprocessing={"class": PreprocessingEntry(**BGR, folded=False)},
        labels={"data": LABELS},
    )


def edges(name: str, found: tuple[Edge, ...]) -> tuple[EdgeEntry, ...]:
    scales = SCALES if name == "integers" else {}
    about = [(edge, *scales.get(edge.name, (None, None))) for edge in found]
    return tuple(
        EdgeEntry(name=edge.name, dtype=edge.dtype, shape=edge.shape, scale=scale, zero_point=point)
        for edge, scale, point in about
    )


def vectors_of(interface: Interface, variant: Variant, folder: Path) -> bytes:
    """Golden vectors of five runs, whose answers are ONNX Runtime's for Python."""
    rng, runs = np.random.default_rng(5), 5
    raw = {port.name: samples(rng, port, runs) for port in interface.inputs}
    if variant.name == "integers":  # ties, and what no integer stands for
        raw["run"][:2] = [[[0.125, -0.125, 0.375]], [[np.inf, -np.inf, np.nan]]]
    ins, outs = ([Edge(**vars(edge)) for edge in side] for side in (variant.inputs, variant.outputs))
    runner = OnnxRunner(folder / f"{variant.name}.onnx")
    answers: dict[str, list[Array]] = {edge.name: [] for edge in outs}
    for run in range(runs):
        values = {name: array[run] for name, array in raw.items()}
        values["class"] = preprocess(values["class"], Preprocessing(**BGR), "float32")
        with np.errstate(invalid="ignore"):  # of NaN
            found = runner({edge.name: edge.quantize(values[edge.name]) for edge in ins})
        for edge in outs:
            answers[edge.name].append(edge.dequantize(found[edge.name]))
    recorded = {f"inputs/{name}": array for name, array in raw.items()}
    recorded |= {f"answers/{variant.name}/{name}": np.stack(found) for name, found in answers.items()}
    vectors = golden_vectors(interface, variant, recorded)
    assert vectors is not None
    return vectors


def samples(rng: np.random.Generator, port: Port, count: int) -> Array:
    shape = (count, *port.shape)
    if port.preprocessing is not None:
        return rng.integers(0, 256, shape).astype(np.float32)
    if port.dtype.startswith("float"):
        return rng.normal(size=shape).astype(port.dtype)
    low, high = (0, 2) if port.dtype == "bool" else (np.iinfo(port.dtype).min, np.iinfo(port.dtype).max)
    return rng.integers(low, high, shape, np.int64, endpoint=port.dtype not in ("bool", "int64")).astype(port.dtype)


def every_type() -> Interface:
    """A model for LiteRT with tensors of all types that it has."""
    types = ("int8", "uint8", "int16", "int32", "int64", "bool", "float32")
    sides = [tuple(EdgeEntry(name=f"{side}_{t}", dtype=t, shape=(2,)) for t in types) for side in ("from", "to")]
    file = entry("file", "tflite").model_copy(update={"inputs": sides[0], "outputs": sides[1]})
    return interface_of(manifest(file, app={"class_name": "EveryType", "kotlin_package": "com.example.in.nasty"}))


def open_sizes(folder: Path) -> Interface:
    """A model that takes any number of rows."""
    import onnx

    file = folder / "any.onnx"
    file.write_bytes(onnx.parser.parse_model(OPEN).SerializeToString())
    runner = OnnxRunner(file)
    sides = {"inputs": edges("any", runner.inputs), "outputs": edges("any", runner.outputs)}
    artifact = entry("any", "onnx").model_copy(update={**sides, "bytes": file.stat().st_size})
    return interface_of(manifest(artifact, app={"class_name": "Open", "kotlin_package": "com.example.in.nasty"}))


def many() -> Interface:
    """A model for the Interpreter alone, with more labels than one method of Java's may hold."""
    whole = manifest(
        entry("class", "tflite", ("x",), ("scores",)),
        entry("CLASS", "tflite", ("x",), ("scores",), dtype="int16", scale=0.5),
        app={"class_name": "Many", "kotlin_package": "com.example.in.nasty", "litert": ["interpreter"]},
        labels={"scores": MANY},
    )
    return interface_of(whole)


@pytest.fixture(scope="module")
def compiled(android: Path, nasty: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """By the name of each compiler: where it put its classes, and what it said."""
    kotlin, out = toolchain("kotlin"), tmp_path_factory.mktemp("classes")
    sources = [android / "kotlin", nasty / "kotlin", HERE / "LiteRt.kt"]

    def compile_with(name: str, library: str) -> tuple[Path, str]:
        path = [kotlin / jar for jar in ("android.jar", library, "onnxruntime.jar", "interpreter")]
        strict = ["-no-jdk", "-jvm-target", "1.8", "-Werror", "-Xexplicit-api=strict"]
        return out / name, run(kotlin / name, *strict, "-cp", *joined(path), "-d", out / name, *sources)

    with ThreadPoolExecutor() as pool:
        libraries = {"kotlinc": "stdlib.jar", "kotlinc-1.9": "stdlib-1.9.jar"}
        return dict(zip(libraries, pool.map(compile_with, libraries, libraries.values()), strict=True))


def run(*command: object) -> str:
    done = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False
    )
    return done.stdout if done.returncode == 0 else f"exit {done.returncode}\n{done.stdout}"


def joined(path: list[Path]) -> tuple[str]:
    return (":".join(map(str, path)),)


@pytest.fixture(scope="module")
def program(compiled: dict[str, tuple[Path, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The driver over what the newest compiler made."""
    kotlin, out = toolchain("kotlin"), tmp_path_factory.mktemp("driver")
    path = [compiled["kotlinc"][0], kotlin / "stdlib.jar", kotlin / "onnxruntime.jar"]
    said = run(kotlin / "kotlinc", "-Werror", "-jvm-target", "17", "-cp", *joined(path), "-d", out, HERE / "Main.kt")
    assert said == ""
    fixed = ["-XX:+UseSerialGC", "-XX:-UseDynamicNumberOfCompilerThreads"]  # so that no thread is Java's doing
    command = [str(kotlin / "java"), *fixed, "-cp", *joined([out, *path]), "MainKt"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
        yield Program(process)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def files(android: Path) -> Callable[[str], tuple[Path, Path]]:
    """Gives a variant's file and its golden vectors."""
    return lambda name: (
        next((android / "assets/models/android").glob(f"{name}.*")),
        android / f"test_assets/models/android/{name}.golden",
    )


@pytest.mark.parametrize("compiler", ["kotlinc", "kotlinc-1.9"])
def test_compiles_without_a_warning_for_android_6(compiler: str, compiled: dict[str, tuple[Path, str]]) -> None:
    classes, said = compiled[compiler]
    assert said == ""
    made = {path.relative_to(classes).as_posix() for path in classes.rglob("*.class")}
    for name in ("Digits", "DigitsAsset", "DigitsCompiledModel", "DigitsInterpreter", "DigitsOnnxRuntime"):
        assert f"com/example/digits/{name}.class" in made
    assert {"com/example/in/nasty/Nasty.class", "com/example/in/nasty/ManyInterpreter.class"} <= made
    assert "com/example/in/nasty/ManyCompiledModel.class" not in made


@pytest.mark.parametrize("name", ["digits_onnx", "digits_onnx_int8"])
def test_answers_are_the_golden_ones_and_another_variant_is_another_argument(
    name: str, program, files, tmp_path: Path
) -> None:
    file, vectors = files(name)
    said = program("selfTest", name.upper(), file, vectors)
    assert said.startswith("probabilities is off by ")
    assert program("selfTestOfBuffer", name.upper(), file, vectors) == said
    data, (runs,) = vectors.read_bytes(), struct.unpack_from("<I", vectors.read_bytes(), 40)
    recorded = np.frombuffer(data, "<f4", offset=44).reshape(runs, 1 + 784 + 1 + 10)
    raw = tmp_path / "raw.bin"
    raw.write_bytes(recorded[:, 1:785].tobytes())
    found = np.array(program("run", name.upper(), file, raw).split(), np.float32).reshape(runs, 10)
    np.testing.assert_allclose(found, recorded[:, 786:], rtol=0, atol=1e-4)


def test_a_test_of_something_else_fails(program, files, tmp_path: Path) -> None:
    (file, vectors), (_, others) = files("digits_onnx"), files("digits_onnx_int8")
    spoiled = tmp_path / "spoiled"

    def self_test(model: Path = file, golden: Path = vectors) -> str:
        return program("selfTest", "DIGITS_ONNX", model, golden)

    assert self_test().startswith("probabilities is off by")
    assert "the golden vectors are not of models/android/digits_onnx.onnx" in self_test(golden=others)
    assert "these are no golden vectors" in self_test(golden=file)
    spoiled.write_bytes(vectors.read_bytes()[:-40] + np.ones(10, "<f4").tobytes())
    assert "IllegalStateException: models/android/digits_onnx.onnx answers wrong: probabilities is off by" in self_test(
        golden=spoiled
    )
    assert "where 1000.0 is allowed" in program("selfTestWithin", "DIGITS_ONNX", file, spoiled, 1000)
    spoiled.write_bytes(vectors.read_bytes()[:-40] + np.full(10, np.nan, "<f4").tobytes())
    assert "answers wrong: probabilities is off by NaN" in self_test(golden=spoiled)
    for damaged in (vectors.read_bytes()[:-4], vectors.read_bytes() + b"1234", vectors.read_bytes()[:50]):
        spoiled.write_bytes(damaged)
        assert "the golden vectors are damaged" in self_test(golden=spoiled)
    spoiled.write_bytes(vectors.read_bytes().replace(struct.pack("<I", 784), struct.pack("<I", 785)))
    assert "the golden vectors have 785 elements for image, not 784" in self_test(golden=spoiled)
    bytes_ = bytearray(file.read_bytes())
    bytes_[len(bytes_) // 2] ^= 1
    spoiled.write_bytes(bytes_)
    assert "is not models/android/digits_onnx.onnx: its sha256 is" in self_test(spoiled)


def test_opening(program, files, tmp_path: Path) -> None:
    (file, _), (other, _) = files("digits_onnx"), files("digits_onnx_int8")
    assert program("accelerator", "DIGITS_ONNX", file) == "CPU"
    assert "threads is 0; at least one has to work" in program("threads", "DIGITS_ONNX", file, 0)
    assert f"{other} has {other.stat().st_size} bytes and models/android/digits_onnx.onnx" in program(
        "accelerator", "DIGITS_ONNX", other
    )
    assert "FileNotFoundException" in program("accelerator", "DIGITS_ONNX", tmp_path / "absent")
    assert program("provided", "DIGITS_ONNX", file, "CPU") == "CPU"
    assert "OrtException" in program("provided", "DIGITS_ONNX", file, "XNNPACK")  # not in the build for Linux
    assert "TENSOR_RT needs options of its own" in program("provided", "DIGITS_ONNX", file, "TENSOR_RT")
    assert "ORT model verification failed" in program("configured", "DIGITS_ONNX", file)
    assert "this Digits is closed; open it again" in program("closed", "DIGITS_ONNX", file)


def test_threads_are_those_that_were_asked_for(program, files) -> None:
    file, _ = files("digits_onnx")
    program("threads", "DIGITS_ONNX", file, 1)  # with the first of a process, ONNX Runtime starts one for itself
    assert [program("threads", "DIGITS_ONNX", file, count) for count in (1, 3, 2, 1)] == ["0", "2", "1", "0"]


def test_a_run_allocates_what_the_runtime_does_and_nothing_more(program, files) -> None:
    ours, theirs = map(int, program("allocates", "DIGITS_ONNX", files("digits_onnx")[0]).split())
    assert ours == theirs < 1000


def test_quantizing_and_preprocessing_allocate_nothing(program, nasty: Path) -> None:
    ours, theirs = map(int, program("nasty allocates", "INTEGERS", nasty / "integers.onnx").split())
    assert ours == theirs < 5000


@pytest.mark.parametrize("name", ["plain", "integers"])
def test_types_scales_channels_and_names_of_all_sorts(name: str, program, nasty: Path) -> None:
    said = program("nasty selfTest", name.upper(), nasty / f"{name}.onnx", nasty / f"{name}.golden")
    found = {words.split(" is off by ")[0]: words for words in said.split(", ")}
    assert list(found) == ["data", "Close", "at", "Data", "this", "run_", "wait", "object"]
    assert all(words.endswith("is off by 0.0 where 0.0 is allowed") for name, words in found.items() if name in EXACT)


def test_integers_are_exactly_equal(program, nasty: Path, tmp_path: Path) -> None:
    golden = bytearray((nasty / "plain.golden").read_bytes())
    golden[-40] ^= 1  # of the second int64 of `Data` in the last run, too large for a double to tell
    (tmp_path / "golden").write_bytes(golden)
    said = program("nasty selfTest", "PLAIN", nasty / "plain.onnx", tmp_path / "golden")
    assert "Data is off by 1.0 where 0.0 is allowed" in said


def test_open_sizes_are_chosen(program, nasty: Path) -> None:
    assert program("sizes", nasty / "any.onnx", 4, 3) == "0 1 2 0"
    assert program("sizes", nasty / "any.onnx", 1, 3) == "0"
    refused = "IllegalArgumentException: rows has the shape [-1, 3], with any sizes for -1, and so not [4, 2]"
    assert program("sizes", nasty / "any.onnx", 4, 2) == refused


def test_a_wrong_channel_order_is_seen(program, nasty: Path, tmp_path: Path) -> None:
    golden = bytearray((nasty / "plain.golden").read_bytes())
    pixels = np.frombuffer(golden, "<f4", 12, 48).reshape(4, 3)
    golden[48:96] = pixels[:, ::-1].tobytes()
    (tmp_path / "golden").write_bytes(golden)
    said = program("nasty selfTest", "PLAIN", nasty / "plain.onnx", tmp_path / "golden")
    assert "IllegalStateException" in said
    assert "data is off by" in said


def test_what_is_published_is_what_the_manifest_gives(android: Path) -> None:
    for path, text in Kotlin().generate(interface_of(load_manifest(android))).items():
        assert (android / path).read_bytes() == text.encode()


def test_what_is_known_without_a_file(android: Path, program) -> None:
    whole = load_manifest(android)
    version, shape, labels, variants = program("facts").split("|")
    assert version == whole.version
    assert shape == "[1, 28, 28, 1]"
    assert labels == f"[{', '.join(whole.labels['probabilities'])}]"
    for about in whole.artifacts:
        said = f"{about.file.removeprefix('assets/')} {about.precision} {about.sha256} {about.bytes}"
        assert (said in variants) == (about.format in ("tflite", "onnx", "ort"))


def test_labels_are_the_same_text(program) -> None:
    assert json.loads(program("labels", "nasty")) == list(LABELS)
    assert json.loads(program("labels", "many")) == list(MANY)


@pytest.mark.parametrize(
    "what",
    [
        "Kotlin's CompiledModel adapter is compiled against declarations alone (its classes: Google's Maven)",
        "Kotlin's Interpreter adapter is compiled against its real classes, whose library is Android's",
        "Kotlin's loading from assets is compiled against the real android.jar, which no JVM runs",
    ],
)
def test_what_only_a_phone_runs(what: str) -> None:
    not_run(what)
