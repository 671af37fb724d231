"""The header is compiled, and what it registers is what TensorFlow's own tool would."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mobile_export.errors import ModelError, TargetError
from mobile_export.graphs.graph import Graph
from mobile_export.kernels.header import ALWAYS, Registered, header, read_header, without_spaces
from mobile_export.kernels.needed import needed
from tests.kernels.graphs import GRAPHS

KERNELS = [("Conv2D", "Conv2DOp<CPUDevice, float>"), ("Add", "BinaryOp< CPUDevice, functor::add<float>>")]


def header_of(graph: Graph) -> str:
    return header([(need.op, need.kernel) for need in needed(graph) if need.kernel is not None], "a test")


@pytest.mark.parametrize("name", GRAPHS)
def test_registers_what_tensorflows_tool_does(name: str, tmp_path: Path) -> None:
    from tensorflow.python.tools.selective_registration_header_lib import get_header

    graph_def = GRAPHS[name]()
    (tmp_path / "graph.pb").write_bytes(graph_def.SerializeToString())
    theirs = read_header(get_header([str(tmp_path / "graph.pb")]))
    assert read_header(header_of(Graph.from_graph_def(graph_def))) == theirs
    assert len(theirs.ops) > 3


STRICT = ("-Wall", "-Wextra", "-Werror")


def compiles(text: str, claims: list[str], folder: Path, *flags: str) -> bool:
    """Whether a translation unit with the header compiles, and these hold in it."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler is installed")
    (folder / "ops_to_register.h").write_text(text)
    asserts = "".join(f'static_assert({claim}, "");\n' for claim in claims)
    twice = '#include "ops_to_register.h"\n' * 2
    command = [compiler, *(flags or ("-std=c++11", *STRICT)), "-fsyntax-only", "-x", "c++", "-"]
    done = subprocess.run(command, input=twice + asserts, cwd=folder, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0 or "static assertion failed" in done.stderr or "static_assert failed" in done.stderr
    return done.returncode == 0


CLAIMS = [
    'SHOULD_REGISTER_OP("Conv2D")',
    '!SHOULD_REGISTER_OP("Conv")',
    '!SHOULD_REGISTER_OP("Conv2DBackpropInput")',
    '!SHOULD_REGISTER_OP("")',
    'SHOULD_REGISTER_OP_KERNEL("Conv2DOp<CPUDevice,float>")',
    'SHOULD_REGISTER_OP_KERNEL(" Conv2DOp < CPUDevice,  float > ")',
    'SHOULD_REGISTER_OP_KERNEL("BinaryOp<CPUDevice, functor::add<float>>")',
    '!SHOULD_REGISTER_OP_KERNEL("Conv2DOp<CPUDevice, double>")',
    "!SHOULD_REGISTER_OP_GRADIENT",
    *(f'SHOULD_REGISTER_OP("{op}") && SHOULD_REGISTER_OP_KERNEL("{kernel}")' for op, kernel in ALWAYS),
]


@pytest.mark.parametrize("standard", ["c++11", "c++14", "c++17"])
def test_compilers_evaluate_it(standard: str, tmp_path: Path) -> None:
    assert compiles(header(KERNELS, "a test"), CLAIMS, tmp_path, f"-std={standard}", *STRICT)


@pytest.mark.parametrize(
    "claim", ['SHOULD_REGISTER_OP("Relu")', 'SHOULD_REGISTER_OP_KERNEL("ReluOp<CPUDevice, float>")']
)
def test_compilers_find_what_is_not_there(claim: str, tmp_path: Path) -> None:
    assert not compiles(header(KERNELS, "a test"), [claim], tmp_path)


def test_compilers_agree_with_tensorflows_own(tmp_path: Path) -> None:
    from tensorflow.python.tools.selective_registration_header_lib import get_header_from_ops_and_kernels

    theirs = get_header_from_ops_and_kernels({*KERNELS, *ALWAYS}, include_all_ops_and_kernels=False)
    assert all(compiles(text, CLAIMS, tmp_path, "-std=c++11") for text in (theirs, header(KERNELS, "a test")))


def test_a_thousand_kernels_are_within_what_compilers_recurse(tmp_path: Path) -> None:
    many = [(f"Op{k}", f"SomeLongKernelClassName<CPUDevice, functor::number<{k}>>") for k in range(1000)]
    claims = [
        'SHOULD_REGISTER_OP("Op999")',
        f'SHOULD_REGISTER_OP_KERNEL("{many[500][1]}")',
        '!SHOULD_REGISTER_OP("Op")',
    ]
    assert compiles(header(many, "a test"), claims, tmp_path)


def test_gradients_are_registered_for_whoever_calls_them(tmp_path: Path) -> None:
    assert compiles(
        header([("SymbolicGradient", "SymbolicGradientOp")], "x"), ["SHOULD_REGISTER_OP_GRADIENT"], tmp_path
    )


def test_an_operator_without_kernels() -> None:
    registered = read_header(header([("AccumulateNV2", "")], "a test"))
    assert "AccumulateNV2" in registered.ops
    assert registered.kernels == {kernel for _, kernel in ALWAYS}


@pytest.mark.parametrize("op", ['Add"};int evil{0};//', "Add\n", "Add>", "Ädd", "A\\", ""])
def test_names_that_would_be_code_are_refused(op: str) -> None:
    with pytest.raises(ModelError, match="is no name of an operator; export the model again"):
        header([*KERNELS, (op, "AddOp")], "a test")


def test_operators_of_name_spaces_are_written() -> None:
    assert "Addons>Gelu" in read_header(header([("Addons>Gelu", "GeluOp")], "a test")).ops


def test_what_it_is_for_is_a_comment_whatever_it_says(tmp_path: Path) -> None:
    text = header(KERNELS, "a\nb */ int c; \\")
    assert re.search(r"^// .* for a\?b \*/ int c; \?\.$", text, re.MULTILINE)
    assert compiles(text, CLAIMS[:1], tmp_path)


def test_same_kernels_same_bytes() -> None:
    assert header(KERNELS, "x") == header(reversed(KERNELS * 2), "x")


def test_reads_what_it_writes() -> None:
    pairs = [*KERNELS, *ALWAYS]
    expected = frozenset(op for op, _ in pairs), frozenset(without_spaces(kernel) for _, kernel in pairs)
    assert read_header(header(KERNELS, "x")) == Registered(*expected)


def test_a_header_that_registers_everything() -> None:
    from tensorflow.python.tools.selective_registration_header_lib import get_header_from_ops_and_kernels

    assert read_header(get_header_from_ops_and_kernels([], include_all_ops_and_kernels=True)) == Registered(None, None)


@pytest.mark.parametrize("text", ["", "#define SHOULD_REGISTER_OP(op) f(op)\n", "#pragma once\n"])
def test_other_headers_are_refused(text: str) -> None:
    with pytest.raises(TargetError, match=r"is no ops_to_register\.h"):
        read_header(text)
