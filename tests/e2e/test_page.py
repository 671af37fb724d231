"""`compare`'s page in a real Chromium: it loads, sorts, plots, fits, and asks no network for anything."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_export.compare.page import render
from mobile_export.compare.result import GraphSummary, Node
from tests.compare.page.example import CHANGES, GRAPHS, candidate, check, checks, comparison
from tests.toolchains import toolchain

pytestmark = pytest.mark.e2e


class Browser:
    """Chromium with one page open.

    Args:
        width: of its window, in CSS pixels.
        dark: whether the system prefers a dark theme.
    """

    def __init__(self, page: Path, width: int = 1280, dark: bool = False) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.options import Options
        from selenium.webdriver.chrome.service import Service

        place = toolchain("chromium")
        options = Options()
        options.binary_location = str(place / "chromium")
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options, Service(str(place / "chromedriver")))
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        theme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": theme})
        self.driver.get_log("performance")  # what the browser asked for on its own, before
        self.driver.get(page.as_uri())
        self.wait()

    def wait(self) -> None:
        """Until all plots are drawn."""
        failed = self.driver.execute_async_script(
            "drawn.then(() => arguments[0](''), (error) => arguments[0](`${error}`))"
        )
        assert failed == ""

    def run(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def find(self, selector: str):
        return self.driver.find_element("css selector", selector)

    def column(self, table: str, heading: str) -> list[str]:
        """The texts of a column, without small print."""
        return self.run(
            """
            const table = document.querySelector(arguments[0]);
            const index = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent.trim() === arguments[1]);
            return [...table.tBodies[0].rows].map((row) => row.cells[index].childNodes[0].textContent.trim());
            """,
            table,
            heading,
        )

    def heading(self, table: str, title: str):
        xpath = f"//table[contains(@class, '{table}')]//thead//button[normalize-space() = '{title}']"
        return self.driver.find_element("xpath", xpath)

    def points(self, figure: str) -> list[dict]:
        """What the drawn marks of a plot stand for."""
        return self.run("return views[arguments[0]].view.data('points_marks').map((mark) => mark.datum)", figure)

    def symbols(self, figure: str) -> int:
        return self.run(f"return document.querySelectorAll('#plot-{figure} .points_marks path').length")

    def screenshot(self) -> np.ndarray:
        png = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})["data"]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"), float)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "a page.html"
    path.write_text(render(comparison(baseline="manifest.json", changes=CHANGES)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def opened(page: Path) -> Iterator[Browser]:
    browser = Browser(page)
    yield browser
    browser.driver.quit()


@pytest.fixture
def open_page() -> Iterator:
    browsers = []

    def opening(path: Path, **more) -> Browser:
        browsers.append(Browser(path, **more))
        return browsers[-1]

    yield opening
    for browser in browsers:
        browser.driver.quit()


def test_it_loads_without_a_word_in_the_console_or_on_the_network(open_page, page: Path) -> None:
    browser = open_page(page)
    browser.run("document.querySelectorAll('select').forEach((each) => each.dispatchEvent(new Event('change')))")
    browser.wait()
    messages = [json.loads(entry["message"])["message"] for entry in browser.driver.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith("data:")] == [page.as_uri()]
    assert browser.run("return performance.getEntriesByType('resource').map((entry) => entry.name)") == []
    assert browser.driver.get_log("browser") == []


def test_the_policy_stops_what_would_run_or_load(open_page, page: Path, tmp_path: Path) -> None:
    """So that the test above could fail."""
    worse = tmp_path / "worse.html"
    image = "<img src='https://example.com/a.png' onerror='window.ran = 1'><script>window.ran = 2</script>"
    worse.write_text(page.read_text(encoding="utf-8").replace("<main>", f"<main>{image}"), encoding="utf-8")
    browser = open_page(worse)
    assert browser.run("return window.ran ?? null") is None
    assert len(browser.driver.get_log("browser")) >= 2


def test_a_click_sorts_numbers_as_numbers_and_what_is_missing_last(opened: Browser) -> None:
    heading = opened.heading("files", "size")
    heading.click()
    assert opened.column(".files", "size") == ["24.0 kB", "37.6 kB", "60.0 kB", "100.3 kB", "–"]
    assert opened.run("return arguments[0].closest('th').ariaSort", heading) == "ascending"
    heading.click()
    assert opened.column(".files", "size") == ["100.3 kB", "60.0 kB", "37.6 kB", "24.0 kB", "–"]
    assert opened.run("return arguments[0].closest('th').ariaSort", heading) == "descending"
    opened.heading("files", "2 threads").click()
    assert opened.column(".files", "2 threads") == ["38 µs", "53 µs", "22.7 ms", "–", "–"]
    assert len(opened.driver.find_elements("css selector", ".files th:not([aria-sort=none])[aria-sort]")) == 1


def test_the_keyboard_alone_sorts_and_opens(open_page, page: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    browser = open_page(page)
    browser.press(Keys.TAB)
    assert browser.run("return document.activeElement.className") == "skip"
    browser.press(Keys.ENTER)
    for _ in range(30):
        browser.press(Keys.TAB)
        if browser.run("return document.activeElement.textContent.trim()") == "size":
            break
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press(Keys.ENTER)
    assert browser.column(".files", "size")[0] == "24.0 kB"
    browser.press(Keys.SPACE)
    assert browser.column(".files", "size")[0] == "100.3 kB"
    browser.run("document.querySelector('#background summary').focus()")
    browser.press(Keys.ENTER)
    assert browser.run("return document.querySelector('#background details').open") is True


def test_plots_have_exactly_the_points(opened: Browser) -> None:
    points = {point["file"]: point for point in opened.points("size")}
    assert {name: (point["x"], point["y"]) for name, point in points.items()} == {
        "digits_int8": (28.2, 0.985),
        "digits_float32": (75.225, 0.99),
        "digits_smallest": (18.0, 0.98),
        "onnx_float32": (45.0, 0.99),
    }
    counts = {"size": 4, "latency": 3, "layers": 6, "trials": 4}
    assert {figure: len(opened.points(figure)) for figure in counts} == counts
    assert {figure: opened.symbols(figure) for figure in counts} == counts
    marks = (
        "return views.size.view.data('points_marks').map((mark) => [mark.datum.file, mark.x, mark.y, mark.fillOpacity])"
    )
    x, y, filled = ({name: of[part] for name, *of in opened.run(marks)} for part in range(3))
    assert filled == {"digits_int8": 1, "digits_smallest": 1, "onnx_float32": 1, "digits_float32": 0}
    assert x["digits_smallest"] < x["digits_int8"] < x["onnx_float32"] < x["digits_float32"]
    assert y["digits_smallest"] > y["digits_int8"] > y["onnx_float32"] == y["digits_float32"]


def test_numbers_that_are_none_stop_no_plot(open_page, tmp_path: Path) -> None:
    nowhere = check("accuracy", 0.9, interval=(float("nan"), float("inf")))
    known = candidate("known", "int8", 9000, checks(0.9, 20.0), (1e-3,))
    path = tmp_path / "nan.html"
    path.write_text(render(comparison(candidate("nan", "int8", 4000, (nowhere,), (1e-3,)), known)), encoding="utf-8")
    browser = open_page(path)
    assert {figure: browser.symbols(figure) for figure in ("size", "latency")} == {"size": 2, "latency": 2}


def test_points_are_named_for_eyes_and_for_screen_readers(opened: Browser) -> None:
    shown = "return [...document.querySelectorAll('#plot-size .labels_marks text')].map((text) => text.textContent)"
    assert "digits_int8" in opened.run(shown)
    described = "return [...document.querySelectorAll('#plot-size .points_marks path')].map((point) => point.ariaLabel)"
    assert "digits_int8: 28.2 kB, 98.50 %, in the Pareto set" in opened.run(described)


def test_a_choice_draws_another_variant(opened: Browser) -> None:
    from selenium.webdriver.support.select import Select

    before = {point["file"]: point["x"] for point in opened.points("latency")}
    Select(opened.find("select[data-figure=latency]")).select_by_visible_text("2 threads")
    opened.wait()
    after = {point["file"]: point["x"] for point in opened.points("latency")}
    assert (before["digits_smallest"], after["digits_smallest"]) == pytest.approx((0.073, 22.7))


def test_the_dark_theme_reaches_plots_and_can_be_chosen(open_page, page: Path) -> None:
    dark = open_page(page, dark=True)
    assert dark.screenshot().mean() < 80
    color = "return getComputedStyle(document.querySelector('#plot-size .points_marks path')).stroke"
    in_dark = dark.run(color)
    dark.find("#theme").click()
    assert dark.find("#theme").text == "Theme: light"
    assert dark.screenshot().mean() > 200
    assert dark.run(color) != in_dark


@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_and_is_not_blank(open_page, page: Path, width: int) -> None:
    browser = open_page(page, width=width)
    assert browser.run("return [innerWidth, document.documentElement.scrollWidth <= innerWidth]") == [width, True]
    wide = browser.run(
        """
        return [...document.querySelectorAll('main *')]
          .filter((one) => one.getBoundingClientRect().right > innerWidth && !one.closest('.box, pre'))
          .map((one) => one.outerHTML.slice(0, 100));
        """
    )
    assert wide == []
    picture = browser.screenshot()
    assert width - 20 < picture.shape[1] <= width  # a scroll bar beside it
    assert picture.std() > 10


def test_thousands_of_nodes_stay_usable(open_page, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.wait import WebDriverWait

    count = 10_000
    listing = tuple(
        Node(name=f"block{i}/Relu", operator="Relu", shape="[1,8]", inputs=(f"block{i - 1}/Relu",) if i else ())
        for i in range(count)
    )
    large = GraphSummary(title="large", nodes=count, weights=1, operators={"Relu": count}, listing=listing)
    path = tmp_path / "large.html"
    path.write_text(render(comparison(graphs=(large, GRAPHS[1]))), encoding="utf-8")
    browser = open_page(path)
    spent = browser.run(
        """
        const start = performance.now();
        document.querySelector('.listing').open = true;
        document.querySelector('.listing').getBoundingClientRect();
        return performance.now() - start;
        """
    )
    assert spent < 4000  # milliseconds
    box = browser.find("input[data-filter]")
    box.send_keys("block77/")
    shown = "return [...document.querySelectorAll('#listing-0 li:not([hidden])')].map((node) => node.id)"
    assert browser.run(shown) == ["n0-77", "n0-78"]
    browser.run("document.querySelector('#n0-77 a').focus()")
    browser.press(Keys.ENTER)
    WebDriverWait(browser.driver, 20).until(lambda _: browser.find("#n0-76").is_displayed())
    assert browser.run("return location.hash") == "#n0-76"


def test_names_of_devices_are_not_broken(open_page, page: Path) -> None:
    lines = """
        return [...document.querySelectorAll('#devices tbody td.name')].map((cell) => {
          const range = document.createRange();
          range.selectNodeContents(cell);
          return range.getClientRects().length;
        });
    """
    browser = open_page(page, width=360)
    assert set(browser.run(lines)) == {1}
    browser.run("document.querySelectorAll('#devices td.name').forEach((cell) => cell.classList.remove('whole'))")
    assert max(browser.run(lines)) > 1  # so that the line above could fail
