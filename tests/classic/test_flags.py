"""Command lines of the classic tools."""

import re
from dataclasses import dataclass

import pytest

from mobile_export.classic.flags import Flags, explain, flag, listed_nodes, parse
from mobile_export.errors import TargetError


@dataclass(frozen=True, kw_only=True)
class Tool(Flags):
    """Do something."""

    input_graph: str = flag("", "What is read.")
    count: int = flag(2, "How often.")
    share: float = flag(0.5, "How much.")
    most: float | None = flag(None, "How much at most.")
    binary: bool = flag(False, "Whether it is binary.")
    nodes: bool = flag(True, "Whether it has nodes.", "knots")


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        ("", Tool()),
        ("--input_graph=a=b", Tool(input_graph="a=b")),
        ("--input_graph a.pb --count 3", Tool(input_graph="a.pb", count=3)),
        ("-input_graph a.pb -count=3", Tool(input_graph="a.pb", count=3)),
        ("--input-graph=a.pb", Tool(input_graph="a.pb")),
        ("--count=-1", Tool(count=-1)),
        ("--share=-1e-3 --most 2", Tool(share=-0.001, most=2.0)),
        ("--binary", Tool(binary=True)),
        ("--binary --count=1", Tool(binary=True, count=1)),
        ("--binary=true", Tool(binary=True)),
        ("--binary true", Tool(binary=True)),
        ("--binary False", Tool(binary=False)),
        ("--nobinary", Tool(binary=False)),
        ("-nonodes", Tool(nodes=False)),
        ("--nodes", Tool()),
        ("--knots=0", Tool(nodes=False)),
        ("--count=1 --count=5", Tool(count=5)),
        ("--format json", Tool(format="json")),
    ],
)
def test_flags(line: str, flags: Tool) -> None:
    assert parse(Tool, line.split()) == flags


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("graph.pb", r"'graph\.pb' is no flag; write --flag=value"),
        ("--input_grph=a", r"--input_grph: there is no such flag \(did you mean --input_graph\?\)"),
        ("--nocount", "--nocount: there is no such flag"),
        ("--nobinary=true", "--nobinary: there is no such flag"),
        ("--input_graph", "--input_graph: its value is missing; write --input_graph=VALUE"),
        ("--input_graph --binary", "--input_graph: its value is missing"),
        ("--binary=maybe", "--binary: 'maybe' is neither true nor false"),
        ("--count=many", "--count: 'many' is no whole number"),
        (f"--count={'9' * 5000}", "--count: '9{18}' is no whole number of 18 digits or fewer$"),
        ("--count=\udcff", r"'--count=\\udcff' is no text in UTF-8"),
        ("--input_graph \udcff", r"'\\udcff' is no text in UTF-8"),
        ("--share=half", "--share: 'half' is no number"),
        ("--most=inf", "--most: 'inf' is no number"),
        ("--format=xml", "--format: 'xml' is not known; allowed: text, json"),
    ],
)
def test_wrong_flags(line: str, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        parse(Tool, line.split())


def test_nodes_that_a_flag_lists() -> None:
    assert listed_nodes("a, b/c:1,^d,,", "outputs") == ["a", "b/c", "d"]


@pytest.mark.parametrize("name", ["^y:9", "y:a", "y::1", "y^", ":1", "y:"])
def test_what_can_be_no_node_is_named_with_its_flag(name: str) -> None:
    with pytest.raises(TargetError, match=f"^--outputs: {re.escape(repr(name))} names no node"):
        listed_nodes(f"a,{name}", "outputs")


def test_help() -> None:
    text = explain(Tool)
    assert text.startswith("Do something.\n\nFlags, with one dash or two:\n  --input_graph\n      What is read.\n")
    assert "  --count\n      How often. Default: 2.\n" in text
    assert "  --most\n      How much at most.\n" in text
    assert "  --nodes, --knots\n      Whether it has nodes. Default: true.\n" in text
    assert text.endswith("json goes to stdout alone. Default: text.")
