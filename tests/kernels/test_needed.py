import time

import pytest

from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import GraphDef, NodeDef
from mobile_export.graphs.tensors import dtype_number_of
from mobile_export.kernels.needed import Need, needed
from tests.kernels.graphs import calls, conv_net


def of(graph_def: GraphDef) -> list[Need]:
    return needed(Graph.from_graph_def(graph_def))


def node(op: str, name: str = "n", device: str = "", **types: str) -> NodeDef:
    made = NodeDef(name=name, op=op, device=device)
    for key, dtype in types.items():
        made.attr[key].type = dtype_number_of(dtype)
    return made


def one(*nodes: NodeDef) -> Need:
    (need,) = of(GraphDef(node=nodes))
    return need


def test_types_classes_and_the_first_node() -> None:
    found = {str(need): (need.kernel, need.node) for need in of(conv_net())}
    assert found["Conv2D<T=float32>"] == ("Conv2DOp<CPUDevice, float>", "conv")
    assert found["FusedBatchNormV3<T=float32, U=float32>"][1] == "norm"
    assert found["Const<dtype=int32>"][0] == found["Const<dtype=float32>"][0] == "ConstantOp"
    assert list(found) == sorted(found)


def test_a_kernel_is_named_once_with_all_attributes_of_its_nodes() -> None:
    first, second = node("Relu", "a", T="float32"), node("Relu", "b", T="float32")
    second.attr["new"].b = second.attr["_private"].b = True
    assert one(first, second).attributes == {"T": "a", "new": "b"}


def test_many_attributes_take_no_longer() -> None:
    """160,000 took five seconds, when those of all nodes before were copied for each."""
    nodes = [node("Relu", f"n{k}", T="float32") for k in range(2000)]
    for k, made in enumerate(nodes):
        for j in range(40):
            made.attr[f"a{k}_{j}"].b = True
    began = time.process_time()
    assert len(one(*nodes).attributes) == 80_001
    assert time.process_time() - began < 2


def test_nodes_of_functions_are_among_them_and_calls_are_not() -> None:
    graph_def = calls()
    found = {need.op: need for need in of(graph_def)}
    assert found["Exp"].node.endswith("/Exp")
    assert found["Exp"].node.split("/")[0] in {function.signature.name for function in graph_def.library.function}
    assert {"StatelessWhile", "Less", "AddV2"} <= set(found)
    assert not set(found) & {function.signature.name for function in graph_def.library.function}


def test_functions_that_nothing_calls_need_nothing() -> None:
    graph_def = calls()
    del graph_def.node[:]
    assert of(graph_def) == []


def test_defaults_that_a_graph_was_saved_without() -> None:
    assert str(one(node("Sum", T="float32"))) == "Sum<T=float32, Tidx=int32>"


def test_the_device_it_was_trained_on_does_not_matter() -> None:
    assert one(node("Relu", device="/device:GPU:0", T="float32")).kernel == "ReluOp<CPUDevice, float>"


def test_a_kernel_that_is_asked_for_by_its_label() -> None:
    labelled = node("MatMul", T="float32")
    labelled.attr["_kernel"].s = b"no such label"
    assert (str(one(labelled)), one(labelled).kernel) == ("MatMul<T=float32>", None)


@pytest.mark.parametrize("nodes", [[node("Relu", T="string")], [node("NoSuchOp", T="float32")]])
def test_what_has_no_kernel(nodes: list[NodeDef]) -> None:
    assert one(*nodes).kernel is None


def test_what_tensorflow_replaces_takes_none() -> None:
    assert one(node("AccumulateNV2", T="float32")).kernel == ""


def test_lists_of_types() -> None:
    many = node("IdentityN")
    many.attr["T"].list.type.extend([1, 3])
    assert str(one(many)) == "IdentityN<T=float32+int32>"


def test_mapped_constants() -> None:
    assert one(node("ImmutableConst", dtype="float32")).kernel == "ImmutableConstantOp"
