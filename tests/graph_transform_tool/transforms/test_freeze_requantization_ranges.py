"""freeze_requantization_ranges beside the original's."""

from pathlib import Path

import numpy as np
import pytest

from mobile_export.errors import ModelError, TargetError
from mobile_export.graphs.graph import Graph
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, ours, ours_is_better, tally, theirs
from tests.graph_transform_tool.original import OriginalAborted, OriginalError
from tests.graph_transform_tool.small_graphs import colocation, with_colocation

TEXT = """
x = Placeholder int32[3]
a = Const float32[]: -1
b = Const float32[]: 1
range = RequantizationRange(x, a, b) Tinput=int32
r = Requantize(x, a, b, range, range:1) Tinput=int32 out_type=uint8
range2 = RequantizationRange(r, r:1, r:2) Tinput=int32
y = Add(range2, range2:1)
input x = x:0
output y = y:0
output r = r:0
"""

LOG = """
Something irrelevant
I0119 image.cc:12] ;range__print__;__requant_min_max:[-1.5][2.5]
;range__print__;__requant_min_max:[-2.5][1.5]
;RequantizationRange;;range2__print__;__requant_min_max:[0][3e2] more
;range__print__;__requant_min_max:[-3.5 ][ 0.5]tail
range__print__;__requant_min_max:[9]
;range__print__;__requant_min_max:9][10
;range__print__;__requant_min_max:[9][10][11]
;range__print__;__requant_min_max:[nine][ten]
;range__print__;x;__requant_min_max:[9][10]
;range__print__;__requant_min_max:[-9][9];a;range2__print__;__requant_min_max:[-1][1]
__requant_min_max:[9][10]
;range__print__;__requant_min_max:[]
"""


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return f'min_max_log_file="{path}"'


def values(graph: Graph, name: str) -> tuple[float, float]:
    return float(graph.constants[f"{name}/frozen_min"]), float(graph.constants[f"{name}/frozen_max"])


def test_what_the_log_has(tmp_path: Path) -> None:
    found = agree(parse(TEXT), f"freeze_requantization_ranges({write(tmp_path / 'log', LOG)})")
    assert values(found, "range") == (-3.5, 2.5)
    assert values(found, "range2") == (-1, 300)
    assert list(found.nodes["r"].input[3:]) == ["range/frozen_min", "range/frozen_max"]


@pytest.mark.parametrize("percentiles", [(0, 0), (5, 5), (10, 0), (2.5, 12.5), (49, 51), (33, 0.5), (0, 100)])
@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_percentiles(percentiles: tuple[float, float], count: int, tmp_path: Path) -> None:
    draw = np.random.default_rng(count)
    lines = [f";range__print__;__requant_min_max:[{-a}][{b}]" for a, b in draw.uniform(size=(count, 2))]
    log = write(tmp_path / "log", "\n".join(lines))
    low, high = percentiles
    agree(parse(TEXT), f"freeze_requantization_ranges({log}, min_percentile={low}, max_percentile={high})")


@pytest.mark.parametrize("percentile", [50, 100])
def test_the_last_value_is_the_last(percentile: int, tmp_path: Path) -> None:
    """The original reads what lies in memory behind its list of values."""
    log = write(tmp_path / "log", ";range__print__;__requant_min_max:[-0.5][0.5]")
    text = f"freeze_requantization_ranges({log}, min_percentile={percentile})"
    found, expected = ours_is_better(parse(TEXT), text)
    assert values(expected, "range") != (-0.5, 0.5)
    assert values(found, "range") == (-0.5, 0.5)


def test_whoever_waited_for_it_and_what_it_waited_for(tmp_path: Path) -> None:
    graph = with_colocation(parse(TEXT), "y", "range2")
    graph.nodes["range2"].input.append("^a")
    graph.nodes["y"].input.append("^range2")
    found, expected = ours_is_better(graph, f"freeze_requantization_ranges({write(tmp_path / 'log', LOG)})")
    assert isinstance(expected, OriginalError)
    assert list(found.nodes["y"].input) == ["range2/frozen_min", "range2/frozen_max", "^range2/frozen_min"]
    assert list(found.nodes["range2/frozen_max"].input) == ["^a"]
    assert colocation(found, "y") == [b"loc:@range2/frozen_min"]


def test_in_a_branch_it_runs_only_there(tmp_path: Path) -> None:
    text = TEXT.replace(
        "range2 = RequantizationRange(r,",
        "p = Const bool[]: 1\ns = Switch(r, p)\nt = Neg(s)\nrange2 = RequantizationRange(t,",
    )
    found = ours(parse(text), f"freeze_requantization_ranges({write(tmp_path / 'log', LOG)})")
    assert list(found.nodes["range2/frozen_min"].input) == ["^t"]
    assert not found.nodes["range/frozen_min"].input


def test_a_range_that_is_none(tmp_path: Path) -> None:
    text = f"freeze_requantization_ranges({write(tmp_path / 'log', ';range__print__;__requant_min_max:[nan][1e39]')})"
    expected = theirs(parse(TEXT), text)
    assert not np.isfinite(values(expected, "range")).any()
    with pytest.raises(TargetError, match="log, line 1: the range is not finite"):
        ours(parse(TEXT), text)
    tally(text, "better")


@pytest.mark.parametrize(
    ("log", "error"),
    [
        ("nothing here\n", "has no line with NODE__print__"),
        (";nowhere__print__;__requant_min_max:[-1][1]", "range of the node 'nowhere', and the graph has no such node"),
        (";y__print__;__requant_min_max:[-1][1]", "range of the node 'y', which is Add"),
    ],
)
def test_logs_that_do_not_fit(log: str, error: str, tmp_path: Path) -> None:
    text = f"freeze_requantization_ranges({write(tmp_path / 'log', log)})"
    with pytest.raises(OriginalError):
        theirs(parse(TEXT), text)
    with pytest.raises((TargetError, ModelError), match=error):
        ours(parse(TEXT), text)


def test_errors(tmp_path: Path) -> None:
    for parameters, error in {
        "": "min_max_log_file is missing; write",
        f'(min_max_log_file="{tmp_path / "none"}")': "none cannot be read",
        f'(min_max_log_file="{tmp_path}")': "cannot be read",
        f"({write(tmp_path / 'log', LOG)}, min_percentile=x)": "'x' is no number",
    }.items():
        with pytest.raises((OriginalError, OriginalAborted)):
            theirs(parse(TEXT), f"freeze_requantization_ranges{parameters}")
        with pytest.raises(TargetError, match=f"^freeze_requantization_ranges: .*{error}"):
            ours(parse(TEXT), f"freeze_requantization_ranges{parameters}")


def test_a_path_with_a_nul_is_an_error() -> None:
    with pytest.raises(TargetError, match=r"^freeze_requantization_ranges: min_max_log_file: 'a\\x00b' has a NUL"):
        ours(parse(TEXT), 'freeze_requantization_ranges(min_max_log_file="a\0b")')


@pytest.mark.parametrize("percentile", ["-1", "101", "1e39"])
def test_a_percentile_that_is_none(percentile: str, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"max_percentile: .* is no percentile"):
        ours(parse(TEXT), f"freeze_requantization_ranges({write(tmp_path / 'log', LOG)}, max_percentile={percentile})")
