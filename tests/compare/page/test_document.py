"""The page's text, without a browser: whole, escaped, and about nothing but what is there."""

import base64
import hashlib
import json
import math
import sys
from html.parser import HTMLParser

import pytest

from mobile_export.compare.page import render
from mobile_export.compare.page.library import plotting_library
from mobile_export.compare.pick import choose
from mobile_export.compare.result import Comparison, GraphSummary, Node
from mobile_export.errors import MissingToolError
from mobile_export.published.manifest import CheckEntry, DeviceEntry, OperatorEntry
from tests.compare.page.example import (
    CHANGES,
    GRAPHS,
    candidate,
    check,
    checks,
    comparison,
    layers,
    refused,
    survey,
)
from tests.published_folder import device, not_run

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{7*7}}<!--"


class Page(HTMLParser):
    """What a page holds: elements with their attributes, text outside of scripts, and scripts."""

    VOID = ("meta", "link", "input", "br", "img")

    def __init__(self, comparison: Comparison) -> None:
        super().__init__(convert_charrefs=True)
        self.source = render(comparison)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.texts: list[str] = []
        self.inside = ""
        self.feed(self.source)

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag
        if tag in ("script", "style"):
            (self.scripts if tag == "script" else self.styles).append("")

    def handle_endtag(self, tag) -> None:
        self.inside = ""

    def handle_data(self, data) -> None:
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside == "style":
            self.styles[-1] += data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def specs(self) -> dict:
        return json.loads(self.scripts[0])

    @property
    def policy(self) -> str:
        return next(found["content"] for tag, found in self.elements if tag == "meta" and "http-equiv" in found)


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(comparison(baseline="manifest.json", changes=CHANGES))


def test_the_verdict_is_said_first(page: Page) -> None:
    assert "3 of 5 candidates pass every limit, 1 misses one or more, 1 could not be made." in page.text
    assert "smallest 18.0 kB digits_smallest" in page.text
    assert "fastest 18 µs digits_int8" in page.text
    assert "most accurate 99.00 % onnx_float32" in page.text


def test_a_missed_limit_and_a_refusal_are_told_in_words(page: Page) -> None:
    assert "size ratio is 0.98, asked for ≤ 0.55" in page.text
    assert "no file the converter has no kernel for Resize" in page.text
    assert "onnx_float32 : not timed: no runtime" in page.text


def test_everything_has_its_section(page: Page) -> None:
    sections = {found.get("id") for tag, found in page.elements if tag == "section"}
    assert sections >= {"files", "plots", "layers", "search", "delegates", "devices", "graph", "changes", "background"}
    assert "Advisory" in page.text
    assert "table of 2026-03-01, https://example.com/operators" in page.text
    assert "Some CPU, 8 cores, Linux x86_64; LiteRT 2.3.0" in page.text
    assert "bytes 40.0 kB 37.6 kB better" in page.text
    assert '"golden": "0000' in page.text


def test_operators_are_counted_side_by_side(page: Page) -> None:
    assert "Identity 3 – −3" in page.text
    assert "Relu6 – 1 +1" in page.text


def test_inputs_link_to_nodes_of_the_same_graph(page: Page) -> None:
    targets = {found["id"] for tag, found in page.elements if tag == "li" and "id" in found}
    links = [found["href"] for tag, found in page.elements if tag == "a" and found["href"].startswith("#n")]
    assert links == ["#n0-0", "#n0-1"]
    assert {link[1:] for link in links} <= targets


def test_nothing_is_loaded_from_anywhere(page: Page) -> None:
    loading = {"src", "srcset", "data", "action", "poster", "background", "formaction", "xlink:href"}
    for tag, found in page.elements:
        assert not loading & set(found), (tag, found)
        if "href" in found:
            assert found["href"].startswith("#") or (tag, found["href"]) == ("link", "data:,")
    assert "url(" not in page.styles[0]
    assert "@import" not in page.styles[0]


def test_the_policy_allows_what_is_in_the_page_and_nothing_else(page: Page) -> None:
    def sources(texts: list[str]) -> str:
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    assert page.policy.split("; ") == [
        "default-src 'none'",
        f"style-src {sources(page.styles)}",
        f"script-src {sources(page.scripts[1:])}",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert not any(name.startswith("on") or name == "style" for _, found in page.elements for name in found)


def test_the_page_can_be_sent_around(page: Page) -> None:
    assert len(page.source.encode()) < 1_500_000


def test_names_are_text_wherever_they_stand() -> None:
    evil = HOSTILE
    node = Node(name=evil, operator=evil, shape=evil, inputs=(evil,))
    graph = GraphSummary(title=evil, nodes=1, weights=1, operators={evil: 1}, listing=(node,))
    (layer,) = layers(20.0)
    fault = OperatorEntry(name=evil, operator=evil, difference=1, share=1, reason=evil)
    run = DeviceEntry(device=evil, runtime=evil, operators=(fault,), skipped=evil)
    entry = {"unchecked": evil, "devices": (run,)}
    found = comparison(
        candidate(
            "a_int8", "int8", 1000, checks(0.9, 20.0), (1e-3,), entry=entry, surveys=(survey((evil, evil, evil)),)
        ),
        candidate("b", "int8", 1000, (check("size", 2, passed=False, note=evil),), unseen=(evil,)),
        refused("c", evil),
        target=evil,
        metric=evil,
        baseline=evil,
        changes=tuple(change.model_copy(update={"before": evil, "after": evil}) for change in CHANGES),
        graphs=(graph, graph),
    )
    hostile = layer.model_copy(update={"name": evil, "operator": evil, "reasons": (evil,)})
    candidates = tuple(c.model_copy(update={"layers": (hostile,)}) for c in found.candidates)
    page = Page(found.model_copy(update={"candidates": candidates}))
    assert not [tag for tag, _ in page.elements if tag == "img"]
    assert len(page.scripts) == 3
    assert page.text.count(evil) > 15
    assert page.specs["layers"][0]["data"]["values"][0]["layer"] == evil


def test_points_are_the_files_that_have_a_score(page: Page) -> None:
    (size,), latency = page.specs["size"], page.specs["latency"]
    named = {point["file"]: point for point in size["data"]["values"]}
    assert set(named) == {"digits_int8", "digits_float32", "digits_smallest", "onnx_float32"}
    assert named["digits_int8"]["x"] == 28.2
    assert named["digits_int8"]["y"] == 0.985
    assert (named["digits_int8"]["low"], named["digits_int8"]["high"]) == pytest.approx((0.98, 0.99))
    assert named["digits_float32"]["verdict"] == (
        "size ratio is 0.98, asked for ≤ 0.55; device difference on arm64:cortex-a76 is 0.5, asked for ≤ 0"
    )
    assert [len(spec["data"]["values"]) for spec in latency] == [3, 3]
    last = latency[0]["data"]["values"][-1]
    assert last["file"] == "digits_smallest"
    assert (last["x"], last["xHigh"]) == pytest.approx((0.073, 0.1095))


def test_the_front_joins_files_that_pass_alone() -> None:
    found = comparison(
        candidate("small", "int8", 4000, checks(0.9, 20.0)),
        candidate("worse", "int8", 8000, checks(0.8, 20.0)),
        candidate("missed", "int8", 12_000, (*checks(0.99, 20.0), check("size", 2, passed=False))),
        candidate("large", "int8", 16_000, checks(0.95, 20.0)),
    )
    front = Page(found).specs["size"][0]["layer"][0]["data"]["values"]
    assert [(point["x"], point["y"]) for point in front] == [(3, 0.9), (12, 0.95), (12, 0.95)]


def test_the_front_of_an_error_goes_down() -> None:
    def error(value: float) -> tuple[CheckEntry, ...]:
        return check("accuracy", value, at_least=False, unit=""), check("accuracy_drop", value - 0.1, unit="")

    found = comparison(
        candidate("small", "int8", 4000, error(0.3)),
        candidate("worse", "int8", 8000, error(0.4)),
        candidate("large", "int8", 16_000, error(0.2)),
        metric="mae",
    )
    front = Page(found).specs["size"][0]["layer"][0]["data"]["values"]
    assert [(point["x"], point["y"]) for point in front] == [(3, 0.3), (12, 0.2), (12, 0.2)]


def test_trials_that_were_run_are_points_and_all_are_rows(page: Page) -> None:
    (spec,) = page.specs["trials"]
    assert [point["verdict"] for point in spec["data"]["values"]] == ["passed", "missed", "probe", "passed"]
    assert [point["filled"] for point in spec["data"]["values"]] == [0, 0, 0, 1]
    assert [limit["y"] for limit in spec["layer"][0]["data"]["values"]] == [20]
    assert "no kernel takes it" in page.text
    assert "60.0 kB" in page.text


def test_a_layer_has_a_point_for_each_number_that_is_finite() -> None:
    exact = layers(float("inf"))[0].model_copy(update={"own_sqnr": None})
    found = comparison()
    candidates = tuple(c.model_copy(update={"layers": (*layers(20.0), exact)}) for c in found.candidates[:1])
    page = Page(found.model_copy(update={"candidates": candidates}))
    assert [point["x"] for point in page.specs["layers"][0]["data"]["values"]] == [20.0, 23.0]
    assert "inf dB" in page.text


def test_what_json_does_not_have_is_not_drawn() -> None:
    """A browser reads neither NaN nor Infinity, and would stop before the first plot."""
    nowhere = (float("nan"), float("inf"))
    scored = (check("accuracy", 0.9, interval=nowhere), check("accuracy_drop", float("nan"), interval=nowhere))
    page = Page(
        comparison(candidate("a", "int8", 4000, scored, (1e-3,)), candidate("b", "int8", 9000, checks(0.9, 20.0)))
    )
    drawn = json.loads(page.scripts[0], parse_constant=pytest.fail)
    points = {point["file"]: point for point in drawn["size"][0]["data"]["values"]}
    assert (points["a"]["y"], points["a"]["low"], points["a"]["high"]) == (0.9, None, None)


def test_each_number_has_a_column_with_the_words_of_all_renderings(page: Page) -> None:
    assert "not taken" in page.text and "not fast" not in page.text
    assert "1 of 12 by xnnpack" in page.text
    assert "98.50 % [98.00, 99.00]" in page.text


def test_how_latency_was_measured_is_said_where_it_was(page: Page) -> None:
    assert "A latency is the median of 100 answers" in page.text
    assert "this computer (Some" not in Page(comparison(candidate("a", "int8", 4000, checks(0.9, 20.0)))).text


def test_the_most_accurate_is_what_pick_chooses() -> None:
    best = candidate("best", "float32", 9000, checks(0.9002, 20.0))
    found = comparison(candidate("small", "int8", 4000, checks(0.9, 20.0)), best)
    assert choose(found, "accuracy").name in Page(found).text.split("most accurate")[1].split("Pareto set")[0]


def test_without_evaluation_closeness_stands_for_accuracy() -> None:
    near = (check("sqnr", 30.0, unit="dB"),)
    exact = (check("sqnr", float("inf"), unit="dB"),)
    found = comparison(
        candidate("near", "int8", 4000, near), candidate("exact", "float32", 8000, exact), metric="", reference=None
    )
    page = Page(found)
    assert [point["file"] for point in page.specs["size"][0]["data"]["values"]] == ["near"]
    assert "latency" not in page.specs
    assert "there is no [data] evaluation" in page.text


def test_what_was_not_measured_is_left_out() -> None:
    bare = comparison(refused("a", "no converter"), refused("b", "no converter"), graphs=GRAPHS[:1])
    page = Page(bare)
    assert page.specs == {}
    assert "0 of 2 candidates pass every limit, 2 could not be made." in page.text
    assert "No file can be recommended" in page.text
    headings = {found.get("href") for tag, found in page.elements if tag == "a"}
    assert not {"#plots", "#layers", "#search", "#changes"} & headings


def test_no_changes_are_said_to_be_none() -> None:
    assert "Changes since last.json Nothing changed." in Page(comparison(baseline="last.json")).text


def test_without_the_plotting_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    plotting_library.cache_clear()
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(MissingToolError, match=r'vl-convert-python .*pip install "mobile-export\[convert\]"'):
        render(comparison())


def test_each_file_and_device_is_a_row_with_what_is_at_fault() -> None:
    ran = candidate(
        "digits", "int8", 9000, (), entry={"devices": (device(), device("cortex-a76", 0.5), not_run("cortex-a55"))}
    )
    page = Page(comparison(ran))
    assert "devices" in {found.get("id") for tag, found in page.elements if tag == "section"}
    assert ("a", {"href": "#devices"}) in page.elements
    assert "digits arm64:cortex-a53 passes 32 samples same bits LiteRT" in page.text
    assert "digits arm64:cortex-a76 misses 32 samples 0.5 LiteRT 1 operator at fault" in page.text
    assert "CONV_2D conv/Relu : 0.5 in 25.00 % of its values; it has no dot product" in page.text
    assert "digits arm64:cortex-a55 not run: skipped – –" in page.text
    assert "device difference on arm64:cortex-a76 is 0.5, asked for ≤ 0" in page.text


def test_numbers_of_devices_are_told_what_they_are() -> None:
    said = device("cortex-a76", checks=(*device().checks, check("accuracy", math.nan, note="drawn without labels")))
    page = Page(comparison(candidate("digits", "int8", 9000, (), entry={"devices": (said,)})))
    assert "Difference: the largest between an answer there and here, over the largest magnitude here; " in page.text
    assert "accuracy: as measured here on all samples, moved by what differs there" in page.text
    assert "passes 32 samples same bits – LiteRT" in page.text
    assert "drawn without labels" in {found.get("title") for _, found in page.elements}


def test_without_devices_there_is_no_section_for_them() -> None:
    page = Page(comparison(candidate("digits", "int8", 9000, ())))
    assert "devices" not in {found.get("id") for tag, found in page.elements if tag == "section"}
