"""Public names of tensors that nobody named: identifiers, telling, and no two alike."""

import re

import pytest

from mobile_export.graphs.names import identifiers, is_operators, telling_part
from mobile_export.graphs.protos import NodeDef


@pytest.mark.parametrize(
    ("node", "op", "part"),
    [
        ("scores", "Softmax", "scores"),
        ("a/b/scores", "Softmax", "scores"),
        ("tower/Softmax", "Softmax", "tower"),
        ("tower/Softmax_12", "Softmax", "tower"),
        ("tower/Softmax", "Identity", "tower"),
        ("tower/dense/BiasAdd", "BiasAdd", "dense"),
        ("dense/BiasAdd/ReadVariableOp", "Identity", "dense"),
        ("tower/add", "AddV2", "tower"),
        ("tower/AddV2_1", "AddV2", "tower"),
        ("tower/ParseExampleV2", "ParseExampleV2", "tower"),
        ("tower/softmaxes", "Softmax", "softmaxes"),
        ("StatefulPartitionedCall/model/scores/Identity_1", "Identity", "scores"),
        ("StatefulPartitionedCall_3/PartitionedCall/Softmax", "Softmax", "Softmax"),
        ("PartitionedCall", "PartitionedCall", "PartitionedCall"),
        ("Softmax", "Softmax", "Softmax"),
    ],
)
def test_the_telling_part(node: str, op: str, part: str) -> None:
    assert telling_part(NodeDef(name=node, op=op)) == part


def test_a_name_is_the_operators_whatever_its_number_and_version() -> None:
    assert all(is_operators(part, "AddV2") for part in ("add", "Add", "add_7", "AddV2", "AddV2_1"))
    assert not any(is_operators(part, "AddV2") for part in ("added", "add_up", "total"))


@pytest.mark.parametrize(
    ("names", "taken", "expected"),
    [
        (["a", "a", "a"], [], ["a", "a_1", "a_2"]),
        (["a", "a_1", "a"], [], ["a", "a_1", "a_2"]),
        (["a"], ["a", "a_1"], ["a_2"]),
        (["1st-place"], [], ["_1st_place"]),
        (["größe", "naïve/x.y"], [], ["gr__e", "na_ve_x_y"]),
        (["", "_", "日本"], [], ["tensor", "tensor_1", "tensor_2"]),
    ],
)
def test_identifiers(names: list[str], taken: list[str], expected: list[str]) -> None:
    assert identifiers(names, taken) == expected
    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) for name in expected)
