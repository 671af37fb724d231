from pathlib import Path

import pytest

from mobile_export.errors import TargetError
from mobile_export.graphs.graph import Graph
from mobile_export.kernels.header import header
from mobile_export.kernels.needed import Need, needed
from mobile_export.kernels.runtimes import INSTALLED, RUNTIMES, KernelList, load_runtime, read_list, runtime_named
from tests.kernels.graphs import GRAPHS, conv_net, half_precision

LIST = """
# what a team's build has
Relu
Conv2D(T,padding,strides)
Conv2D<T=float16|float32> Conv2DOp<CPUDevice, T>
Sum<T=float32, Tidx=int32> SumOp<float, int32>   # and no other
Sum<T=int32, Tidx=int64>
"""


def need(op: str, *attributes: str, **types: str) -> Need:
    pairs = tuple((name, tuple(value.split("+"))) for name, value in sorted(types.items()))
    return Need(op, pairs, "SomeOp<CPUDevice, float>", "n", dict.fromkeys(attributes, "m"))


def lacking(text: str, asked: Need) -> list[str]:
    return [str(lack) for lack in read_list(text).lacks(asked)]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (need("Relu", T="string"), None),
        (need("Conv2D", T="float32"), None),
        (need("Conv2D", "padding", T="float16"), None),
        (need("Conv2D", T="float64"), "Conv2D<T=float64> (node 'n'): its kernels are for T=float16|float32"),
        (need("Conv2D"), "Conv2D (node 'n'): its kernels are not for these types together"),
        (
            need("Conv2D", T="float32+float64"),
            "Conv2D<T=float32+float64> (node 'n'): its kernels are for T=float16|float32",
        ),
        (
            need("Conv2D", "padding", "explicit", T="float32"),
            "Conv2D<T=float32> (node 'm'): the attribute 'explicit' is unknown there; remove_attribute drops it, where "
            "it has its default",
        ),
        (need("Sum", T="float32", Tidx="int32"), None),
        (
            need("Sum", T="float32", Tidx="int64"),
            "Sum<T=float32, Tidx=int64> (node 'n'): its kernels are not for these types together",
        ),
        (need("Add", T="float32"), "Add<T=float32> (node 'n'): there is no kernel for Add"),
        (need("Relu", "anything", T="float32"), None),  # the list does not say which attributes it knows
    ],
)
def test_a_list(asked: Need, said: str | None) -> None:
    assert lacking(LIST, asked) == ([] if said is None else [said])


def test_classes_of_a_list() -> None:
    listed = read_list(LIST)
    assert listed.kernel_class(need("Conv2D", T="float16")) == "Conv2DOp<CPUDevice, T>"
    assert listed.kernel_class(need("Sum", T="float32", Tidx="int32")) == "SumOp<float, int32>"
    assert listed.kernel_class(need("Relu", T="float32")) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no kernel"),
        ("# Relu\n", "names no kernel"),
        ("Relu(T)\n", "names no kernel"),
        ("Relu\nRelu<T=float32\n", "line 2: 'Relu<T=float32' is no kernel"),
        ("Relu<T=float>", "line 1: 'float' is no type"),
        ("Relu<T=DT_FLOAT>", "line 1: 'DT_FLOAT' is no type"),
        ("Relu<float32>", "line 1: 'float32' names no types"),
        ('Relu<T=float32> X"; int', "line 1: .* is no kernel"),
        ("a sentence about kernels.", "line 1: .* is no kernel"),
    ],
)
def test_a_list_that_is_wrong(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(TargetError, match=rf"list\.txt: {said}"):
        load_runtime(tmp_path / "list.txt")


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"nowhere: cannot be read: .*; name a file, or one of tensorflow-android"):
        runtime_named(str(tmp_path / "nowhere"))
    with pytest.raises(TargetError, match=r"cannot be read: Is a directory"):
        runtime_named(str(tmp_path))
    (tmp_path / "model.pb").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TargetError, match=r"model\.pb: is neither a list of kernels nor an ops_to_register\.h"):
        load_runtime(tmp_path / "model.pb")


@pytest.mark.parametrize("name", GRAPHS)
def test_a_selective_build_has_what_it_was_made_for_and_not_more(name: str, tmp_path: Path) -> None:
    needs = needed(Graph.from_graph_def(GRAPHS[name]()))
    (tmp_path / "all.h").write_text(header([(n.op, n.kernel) for n in needs], "all"))
    assert not [lack for n in needs for lack in load_runtime(tmp_path / "all.h").lacks(n)]
    for left_out in needs:
        rest = [(n.op, n.kernel) for n in needs if n.op != left_out.op]
        (tmp_path / "rest.h").write_text(header(rest, "the rest"))
        lacks = [lack for n in needs for lack in load_runtime(tmp_path / "rest.h").lacks(n)]
        if left_out.op not in ("NoOp", "_Send", "_Recv"):
            assert {lack.need.op for lack in lacks} == {left_out.op}
            assert f"the operator {left_out.op} is not registered" in str(lacks[0])


def test_a_selective_build_without_a_type(tmp_path: Path) -> None:
    (tmp_path / "h.h").write_text(header([("Relu", "ReluOp<CPUDevice, double>")], "x"))
    asked = Need("Relu", (("T", ("float32",)),), "ReluOp<CPUDevice, float>", "n")
    (lack,) = load_runtime(tmp_path / "h.h").lacks(asked)
    assert str(lack) == "Relu<T=float32> (node 'n'): the kernel ReluOp<CPUDevice,float> is not registered"


def test_a_build_with_everything_lacks_only_what_there_is_nowhere(tmp_path: Path) -> None:
    (tmp_path / "h.h").write_text("#define SHOULD_REGISTER_OP(op) true\n#define SHOULD_REGISTER_OP_KERNEL(clz) true\n")
    build = load_runtime(tmp_path / "h.h")
    assert not list(build.lacks(need("Relu", T="float32")))
    nowhere = Need("Relu", (("T", ("string",)),), None, "n")
    assert list(build.lacks(nowhere)) == list(INSTALLED.lacks(nowhere))
    assert "has no kernel for CPUs" in str(*INSTALLED.lacks(nowhere))


@pytest.mark.parametrize("name", RUNTIMES)
def test_lists_that_come_along(name: str) -> None:
    listed = runtime_named(name)
    assert isinstance(listed, KernelList)
    assert len(listed.kernels) > 350
    assert set(listed.kernels) == set(listed.attributes)
    assert "org.tensorflow" in RUNTIMES[name].read_text().splitlines()[0]
    classes = {kernel.name for kernels in listed.kernels.values() for kernel in kernels}
    assert {"Conv2DOp<CPUDevice,float>", "ImmutableConstantOp", "RecvOp", "SendOp", "NoOp"} <= classes


def test_what_tensorflow_mobile_lacks() -> None:
    """Read off the library itself: it was asked to run these graphs."""
    mobile = runtime_named("tensorflow-android-1.13.1")

    def said(graph_def) -> list[str]:
        return [str(lack) for n in needed(Graph.from_graph_def(graph_def)) for lack in mobile.lacks(n)]

    attribute, kernel = said(conv_net())
    assert attribute.startswith("Conv2D<T=float32> (node 'conv'): the attribute 'explicit_paddings' is unknown there")
    assert kernel == "FusedBatchNormV3<T=float32, U=float32> (node 'norm'): there is no kernel for FusedBatchNormV3"
    assert said(half_precision()) == said(GRAPHS["tables"]()) == []
