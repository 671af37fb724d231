"""GraphDef files: read and written as protobuf itself does, without its copies."""

import io
import random

import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.graph_files.graph_def import LARGE, graph_def_size, parse_graph_def, write_graph_def
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import DecodeError, GraphDef
from tests.graph_text import parse

TEXT = """
x = Placeholder float32[?,64]
w = Const float32[64,64] ~1
c = Const(^x) float32[40,64] ~2
i = Const int32[2000] ~3
s = Const float32[3]: 1 2 3
e = Const float32[0]
y = MatMul(x, w) transpose_a=false transpose_b=false
output y = y:0
"""


def graph() -> Graph:
    made = parse(TEXT)
    made.constants["splat"] = np.broadcast_to(np.float32(0.5), (500, 20))
    made.set_constant("splat", made.constants["splat"])
    made.set_constant("half", np.ones((70, 70), np.float16))
    made.set_constant("q", np.arange(9000, dtype=np.int64).astype(np.uint8).view([("quint8", np.uint8)]))
    made.nodes["w"].attr["_class"].list.s.append(b"loc:@w")
    made.nodes["w"].attr["zz"].i = 3
    made.nodes["w"].device = "/cpu:0"
    made.nodes["y"].experimental_debug_info.original_node_names.append("before")
    function = made.library.function.add()
    function.signature.name = "f"
    return made


def written(made: Graph) -> bytes:
    file = io.BytesIO()
    write_graph_def(file, made)
    return file.getvalue()


def test_the_bytes_are_those_of_protobuf() -> None:
    made = graph()
    assert written(made) == made.to_graph_def().SerializeToString(deterministic=True)
    assert graph_def_size(made) == len(written(made))


def test_what_is_read_is_the_message() -> None:
    data = written(graph())
    graph_def, values = parse_graph_def(memoryview(data))
    assert set(values) == {"w", "c", "i", "half", "q"}
    expected = Graph.from_graph_def(GraphDef.FromString(data))
    found = Graph.from_graph_def(graph_def, mapped=values)
    assert found.nodes == expected.nodes
    assert list(found.nodes) == list(expected.nodes)
    assert found.library == expected.library
    assert found.versions == expected.versions
    for name, array in expected.constants.items():
        np.testing.assert_array_equal(found.constants[name], array)
        assert found.constants[name].dtype == array.dtype


def test_large_values_are_views_that_nobody_can_write_to() -> None:
    data = written(graph())
    _, values = parse_graph_def(memoryview(data))
    assert np.shares_memory(values["w"], np.frombuffer(data, np.uint8))
    assert not values["w"].flags.writeable


def listed(value: GraphDef) -> None:
    tensor = value.node[1].attr["value"].tensor
    tensor.ClearField("tensor_content")
    tensor.float_val.extend([0.25] * 4096)


def no_const(value: GraphDef) -> None:
    value.node[1].op = "Frozen"


def other_type(value: GraphDef) -> None:
    value.node[1].attr["dtype"].type = 3


def strings(value: GraphDef) -> None:
    value.node[1].attr["dtype"].type = 7
    tensor = value.node[1].attr["value"].tensor
    tensor.Clear()
    tensor.dtype = 7
    tensor.string_val.append(b"x" * 2 * LARGE)


def twice(value: GraphDef) -> None:
    value.node.add().CopyFrom(value.node[1])


def long_value(value: GraphDef) -> None:
    value.node[1].attr["value"].tensor.tensor_content += b"1234"


def huge_shape(value: GraphDef) -> None:
    value.node[1].attr["value"].tensor.tensor_shape.dim[0].size = 1 << 62


def many_dimensions(value: GraphDef) -> None:
    for _ in range(70):
        value.node[1].attr["value"].tensor.tensor_shape.dim.add(size=1)


UNUSUAL = [listed, no_const, other_type, strings, twice, long_value, huge_shape, many_dimensions]


@pytest.mark.parametrize("change", UNUSUAL)
def test_the_unusual_is_left_to_protobuf(change) -> None:
    made = graph().to_graph_def()
    change(made)
    graph_def, values = parse_graph_def(memoryview(made.SerializeToString()))
    assert (graph_def, values) == (made, {})


def test_a_value_of_more_dimensions_than_arrays_have_is_refused() -> None:
    made = graph().to_graph_def()
    many_dimensions(made)
    with pytest.raises(ModelError, match="node 'w': its value has no fixed numeric type and shape"):
        _read(made.SerializeToString())


def test_damage_is_what_it_is_to_protobuf() -> None:
    """Whatever bytes are changed: refused alike, or read alike."""
    data = written(graph())
    shuffled = random.Random(0)
    heads = [at for at in range(len(data)) if at % 4096 < 200]
    for _ in range(2000):
        damaged = bytearray(data)
        damaged[shuffled.choice(heads)] = shuffled.randrange(256)
        damaged = damaged[: shuffled.choice([len(damaged), shuffled.randrange(len(damaged))])]
        assert _outcome(lambda d=damaged: _read(bytes(d))) == _outcome(lambda d=damaged: _plain(bytes(d)))


def _read(data: bytes) -> Graph:
    graph_def, values = parse_graph_def(memoryview(data))
    return Graph.from_graph_def(graph_def, mapped=values)


def _plain(data: bytes) -> Graph:
    return Graph.from_graph_def(GraphDef.FromString(data))


def _outcome(read) -> object:
    try:
        found = read()
    except DecodeError:
        return "no message"
    except ModelError as error:
        return str(error)
    return written(found)
