import re

from mobile_export.quantize.recipes import EVERYTHING, recipe, scopes
from mobile_export.quantize.scheme import Scheme


def test_scopes_match_whole_names_only() -> None:
    names = ["a;b;", "a.c;", "x\ny;"]
    pattern = scopes(names)
    assert all(re.search(pattern, name) for name in names)
    assert not any(re.search(pattern, other) for other in ("a;", "b;", "a;b;c;", "abc;", "a_c;", "y;"))


def test_edges_come_last_and_of_their_own_type() -> None:
    rules = recipe({"int16x8": EVERYTHING}, Scheme("int16x8"), "int16")
    assert [rule["operation"] for rule in rules[-2:]] == ["INPUT", "OUTPUT"]
    assert {rule["op_config"]["activation_tensor_config"]["num_bits"] for rule in rules[-2:]} == {16}
    rules = recipe({"int8": EVERYTHING}, Scheme("int8"), "float32")
    assert {rule["algorithm_key"] for rule in rules[-2:]} == {"no_quantize"}


def test_one_scale_a_tensor() -> None:
    for per_channel, granularity in ((True, "CHANNELWISE"), (False, "TENSORWISE")):
        for precision in ("int8", "dynamic", "weight_int8", "weight_int4"):
            rule = recipe({precision: EVERYTHING}, Scheme(precision, per_channel=per_channel), "float32")[0]
            assert rule["op_config"]["weight_tensor_config"]["granularity"] == granularity


def test_float32_has_no_rules_of_its_own() -> None:
    assert len(recipe({"float32": EVERYTHING}, Scheme(), "float32")) == 2
