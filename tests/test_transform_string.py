"""Transform strings, beside the original's parser: what it takes, what it makes of it, and what it refuses."""

import random

import pytest

from mobile_export.errors import ExportError, TargetError
from mobile_export.graphs.protos import GraphDef
from mobile_export.transform_string import Call, parse_calls
from tests.graph_transform_tool.original import OriginalError, original

VALUES = {
    "plain": "plain",
    "a/b.c_d-e1": "a/b.c_d-e1",
    "-1": "-1",
    '"1,2, 3*4"': "1,2, 3*4",
    '""': "",
    '"a\nb"': "a\nb",
    '"it\'s"': "it's",
    r'"a\"b"': r"a\"b",
    r'"a\\"': r"a\\",
    r'"a\nb"': r"a\nb",
    # stray quotes behind a value
    'x"': "x",
    "x'": "x",
    "x\"'": "x",
    '"x""': "x",
    '"x"\'': "x",
}

TAKEN = [
    "",
    " \n",
    "remove_device",
    "remove_device()",
    "\tremove_device\r\n remove_device\v\f ",
    "remove_device()remove_device",
    "remove_device(a=1)remove_device(a=1)",
    "remove_device(,a=1)",
    "remove_device(a=1,b=2)",
    "remove_device(a=1 b=2)",
    "remove_device(a=1\nb=2)",
    "remove_device(a=1, \n b=2)",
    "remove_device( a=1)",
    'remove_device(a="1"b=2)',
    'remove_device(a=1"b=2)',
]

REFUSED = {
    "remove_device( )": "name of a parameter",
    "remove_device(,)": "name of a parameter",
    "remove_device(a=1,)": "name of a parameter",
    "remove_device(a=1 )": "name of a parameter",
    "remove_device(a=1 ,b=2)": "name of a parameter",
    "remove_device(a=1,,b=2)": "name of a parameter",
    "remove_device(a=1*2)": "name of a parameter",
    "remove_device(a=b:0)": "name of a parameter",
    'remove_device(a="x""")': "name of a parameter",
    "remove_device(ä=1)": "name of a parameter",
    "remove_device(a)": "'=' is missing",
    "remove_device(a": "'=' is missing",
    "remove_device(a =1)": "'=' is missing",
    "remove_device(a-b=1)": "'=' is missing",
    "remove_device(a= 1)": "a has no value",
    "remove_device(a=)": "a has no value",
    "remove_device(a='x')": "a has no value",
    'remove_device(a="x)': "a has no value",
    "remove_device (a=1)": "name of a transform",
    "remove_device)": "name of a transform",
    "remove_device,remove_device": "name of a transform",
    "remove_device \\\n remove_device": "name of a transform",
    "remove-device": "name of a transform",
    "remöve": "name of a transform",
}

UNCLOSED = [
    "remove_device(",
    "remove_device(a=1",
    'remove_device(a="1"',
    "remove_device(a=",
    "remove_device remove_device(",
]


@pytest.mark.parametrize("written", VALUES)
def test_a_value_is_what_the_original_reads(written: str) -> None:
    text = f"set_device(device={written})"
    graph_def = GraphDef()
    graph_def.node.add(name="a", op="NoOp")
    assert original(graph_def, [], ["a"], text).node[0].device == VALUES[written]
    assert parse_calls(text) == (Call("set_device", {"device": (VALUES[written],)}),)


@pytest.mark.parametrize("text", TAKEN)
def test_taken_by_both(text: str) -> None:
    assert _refusal_of_original(text) is None
    assert {call.name for call in parse_calls(text)} <= {"remove_device"}


@pytest.mark.parametrize("text", REFUSED)
def test_refused_by_both(text: str) -> None:
    assert _refusal_of_original(text).startswith("Looking for ")
    with pytest.raises(TargetError, match=REFUSED[text]):
        parse_calls(text)


@pytest.mark.parametrize("text", UNCLOSED)
def test_a_missing_parenthesis_is_an_error_here_and_drops_the_transform_there(text: str) -> None:
    assert _refusal_of_original(text) is None
    with pytest.raises(TargetError, match="at the end"):
        parse_calls(text)


def test_random_strings_are_taken_and_refused_alike() -> None:
    draw = random.Random(0)
    pieces = ["remove_device", "(", "(", ")", ")", "a=1", "b=x", '="x"', '"', "'", ",", " ", "\n", "a", "1"]
    both = []
    for _ in range(600):
        text = draw.choice(["", "remove_device(a=1"]) + "".join(draw.choices(pieces, k=draw.randrange(1, 5)))
        refusal = _refusal_of_original(text)
        if refusal is not None and "not recognized" in refusal:
            refusal = None  # that comes after parsing
        ours = _refusal(text)
        if ours is None or not ours.endswith("at the end"):  # an open parenthesis
            assert (ours is None) == (refusal is None), text
            both.append(ours is None)
    assert 40 < sum(both) < len(both) - 40, sum(both)


def test_names_and_order() -> None:
    text = """
        strip_unused_nodes(type=float, shape="1,299,299,3")
        remove_nodes(op=Identity, op=CheckNumerics)
        fold_constants(ignore_errors=true)
    """
    assert parse_calls(text) == (
        Call("strip_unused_nodes", {"type": ("float",), "shape": ("1,299,299,3",)}),
        Call("remove_nodes", {"op": ("Identity", "CheckNumerics")}),
        Call("fold_constants", {"ignore_errors": ("true",)}),
    )


def test_an_error_says_where() -> None:
    with pytest.raises(TargetError, match=r"^round_weights\(…: .* before '\*4\) quantize_weights'$"):
        parse_calls("strip_unused_nodes round_weights(num_steps=2*4) quantize_weights")


def test_bytes_that_are_no_text_are_an_error() -> None:
    with pytest.raises(TargetError, match=r"is no text in UTF-8"):
        parse_calls('set_device(device="\udcff")')


def _refusal(text: str) -> str | None:
    try:
        parse_calls(text)
    except ExportError as error:
        return str(error)
    return None


def _refusal_of_original(text: str) -> str | None:
    graph_def = GraphDef()
    graph_def.node.add(name="a", op="NoOp")
    try:
        original(graph_def, [], ["a"], text)
    except OriginalError as error:
        return str(error)
    return None
