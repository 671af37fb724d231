import html
import re

from markdown_it import MarkdownIt

from mobile_export.compare.markdown import escaped, markdown
from mobile_export.compare.result import Change
from tests.compare.samples import candidate, comparison, drop, refused
from tests.published_folder import device, not_run


def test_every_row_has_the_columns_of_the_head() -> None:
    text = markdown(
        comparison(
            candidate("a", 500, 20, (drop(0.0, 0.001),)),
            candidate("b", 900, 20, (drop(0.2, 0.01, limit=0.1),)),
            refused("c", "it needs | a pipe\nand a line"),
        )
    )
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 3  # candidates, missed limits, not made
    for table in tables:
        assert len({line.replace(r"\|", "").count("|") for line in table}) == 1, table
    assert r"needs \| a pipe and a line" in text
    assert "| ★ | ok | **a** |" in text
    assert "|  | **missed** | **b** |" in text
    assert r"**20.00 % \[19.00, 21.00\]**" in text


def test_nothing_that_a_file_says_is_obeyed() -> None:
    """As an independent reader of Markdown has it: one cell, with the text and nothing else."""
    evil = (
        "<script>alert(1)</script> [x](http://e.vil) ![i](y) @team #1 `code` **b** _c_ a|b \x1b[31m\r\n# head &lt; \\ "
        "www.evil.com (WWW.e.vil ftp://e.vil"
    )
    page = MarkdownIt("commonmark").enable("table").render(f"| head |\n| --- |\n| {escaped(evil)} |")
    tags = set(re.findall(r"<(/?\w+)", page))
    assert tags == {"table", "thead", "tbody", "tr", "th", "td", "/table", "/thead", "/tbody", "/tr", "/th", "/td"}
    (cell,) = re.findall("<td>(.*)</td>", page)
    assert html.unescape(cell).replace("\u200b", "") == " ".join(evil.replace("\x1b", " ").split())
    assert "@team" not in cell and "#1" not in cell  # nobody is called, no issue is linked
    assert "www." not in cell.lower() and "://" not in cell  # what GitHub makes links of


def test_changes_since_a_baseline() -> None:
    change = Change(artifact="a_b", what="bytes", before="1 kB", after="2 kB", verdict="worse")
    text = markdown(comparison(candidate("a"), baseline="old/manifest.json", changes=(change,)))
    assert "### Since old/manifest.json" in text
    assert r"| a\_b | bytes | 1 kB | 2 kB | **worse** |" in text
    assert "Nothing changed." in markdown(comparison(candidate("a"), baseline="old/manifest.json"))
    assert "Since" not in markdown(comparison(candidate("a")))


def test_what_could_not_be_looked_at_is_said() -> None:
    text = markdown(comparison(candidate("a", unseen=("not timed: no runtime", "layers not compared: too large"))))
    assert "### Not all is known" in text
    assert r"| a | not timed\: no runtime |" in text
    assert r"| a | layers not compared\: too large |" in text


def test_without_evaluation_data() -> None:
    text = markdown(comparison(candidate("a"), metric="", reference=None))
    assert "Answers are compared on 2,000 samples" in text


def test_what_fails_on_a_device_is_said_with_the_operators_at_fault() -> None:
    text = markdown(comparison(candidate("a", file={"devices": (device("cortex-a76", 0.5),)})))
    assert r"| a | device\_difference on arm64\:cortex\-a76 | 0.5 | ≤ 0 |  |" in text
    assert r"| a | arm64\:cortex\-a76 | CONV\_2D conv/Relu | 0.5 | it has no dot product |" in text
    assert "|  | **missed** | **a** |" in text
    assert "on 32 samples" in text
    assert "at fault" not in markdown(comparison(candidate("a", file={"devices": (device(),)})))


def test_what_was_not_run_on_devices_is_said() -> None:
    skipped = comparison(candidate("a", file={"devices": (not_run(),)}), candidate("b"))
    assert r"- not run on arm64\:cortex\-a53\: skipped" in markdown(skipped)
