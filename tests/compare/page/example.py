"""A comparison with something of everything, measured nowhere."""

from typing import Any

from mobile_export.compare.pareto import mark_pareto
from mobile_export.compare.result import Candidate, Change, Comparison, Computer, GraphSummary, Layer, Node
from mobile_export.lint.survey import Finding, Survey
from mobile_export.published.manifest import CheckEntry, ReadingEntry, SchemeEntry, SearchEntry, TrialEntry
from mobile_export.timing.result import Footprint
from tests.compare.samples import timing
from tests.published_folder import artifact, device, manifest


def check(name: str, value: float, **more: Any) -> CheckEntry:
    given = {"check": "accuracy", "limit": None, "at_least": True, "passed": True, "unit": "share", **more}
    return CheckEntry(name=name, value=value, **given)


def checks(score: float, sqnr: float) -> tuple[CheckEntry, ...]:
    drop = 0.99 - score
    return (
        check("accuracy", score, interval=(score - 0.005, score + 0.005), note="top1 of 2000 samples"),
        check("accuracy_drop", drop, interval=(drop - 0.002, drop + 0.002), at_least=False),
        check("top1_agreement", 1 - drop),
        check("sqnr", sqnr, unit="dB"),
    )


def layers(*sqnrs: float) -> tuple[Layer, ...]:
    return tuple(
        Layer(name=f"block{i}/Conv2D", operator="CONV_2D", precision="int8", sqnr=sqnr, own_sqnr=sqnr + 3)
        for i, sqnr in enumerate(sqnrs)
    )


def trial(size: int | None, verdict: str, sqnr: float | None, **more: Any) -> TrialEntry:
    read = () if sqnr is None else (ReadingEntry(name="sqnr", value=sqnr, limit=20, passed=sqnr >= 20, unit="dB"),)
    given = {"why": "uniform", "scheme": SchemeEntry(precision="int8"), "probe": False, **more}
    return TrialEntry(verdict=verdict, bytes=size, readings=read, **given)


MIXED = SchemeEntry(precision="weight_int4", layers={"block1/Conv2D": "weight_int8"})
SEARCH = SearchEntry(
    conclusion="weight_int4 with 1 of 3 layers at weight_int8",
    trials=(
        trial(31_000, "passed", 42.5),
        trial(19_000, "missed", 12.5, scheme=SchemeEntry(precision="weight_int4")),
        trial(70_000, "passed", 35.0, probe=True),
        trial(24_000, "passed", 28.0, scheme=MIXED, why="refinement"),
        trial(60_000, "larger", None, scheme=SchemeEntry(precision="float16")),
        trial(None, "refused", None, scheme=SchemeEntry(precision="int16x8"), note="no kernel takes it"),
    ),
)


def candidate(
    name: str,
    precision: str,
    size: int,
    checked: tuple[CheckEntry, ...],
    medians: tuple[float, ...] = (),
    entry: dict[str, Any] | None = None,
    **more: Any,
) -> Candidate:
    """A candidate that has a file.

    Args:
        medians: seconds, with 1 thread, 2 threads, …
        entry: more of its entry in the manifest.
    """
    given = {"format": "tflite", "interface": "float32", "in_target": True, **more}
    timings = tuple(timing(median, threads) for threads, median in enumerate(medians, start=1))
    found = artifact(
        name,
        format=given["format"],
        precision=precision,
        scheme=SchemeEntry(precision=precision),
        bytes=size,
        zipped_bytes=size * 3 // 4,
        checks=checked,
    ).model_copy(update=entry or {})
    footprint = Footprint(first_answer=0.004, resident=10 * size, anonymous=size, processes=3) if medians else None
    return Candidate(name=name, precision=precision, entry=found, timings=timings, footprint=footprint, **given)


def refused(name: str, why: str, **more: Any) -> Candidate:
    given = {"format": "onnx", "precision": "float16", "interface": "float32", "in_target": False, **more}
    return Candidate(name=name, entry=None, refused=why, **given)


def survey(*findings: tuple[str, str, str], title: str = "XNNPACK", **more: Any) -> Survey:
    given = {"delegate": title.lower(), "evidence": "measured", "source": "LiteRT 2.3.0", "operators": 12, **more}
    found = tuple(Finding(node=node, operator=operator, why=why) for node, operator, why in findings)
    return Survey(title=title, findings=found, **given)


ADVISORY = survey(
    ("block1/Resize", "RESIZE_NEAREST_NEIGHBOR", "not in its table"),
    title="Qualcomm NPU",
    evidence="listed",
    source="table of 2026-03-01, https://example.com/operators",
)
MISSED = check("size_ratio", 0.98, check="size", limit=0.55, at_least=False, passed=False, unit="")
GRAPHS = (
    GraphSummary(
        title="as trained",
        nodes=5,
        weights=80_000,
        operators={"Identity": 3, "Conv2D": 1, "Relu": 1},
        listing=(
            Node(name="input", operator="Placeholder", shape="[1,28,28,1]", inputs=()),
            Node(name="block0/Conv2D", operator="Conv2D", shape="[1,28,28,8]", inputs=("input",)),
            Node(name="block0/Relu", operator="Relu", shape="[1,28,28,8]", inputs=("block0/Conv2D", "elsewhere")),
        ),
    ),
    GraphSummary(
        title="optimized",
        nodes=2,
        weights=79_000,
        operators={"Conv2D": 1, "Relu6": 1},
        listing=(Node(name="block0/Conv2D", operator="Conv2D", shape="", inputs=()),),
    ),
)
CANDIDATES = (
    candidate("digits_int8", "int8", 37_600, checks(0.985, 45.6), (1.8e-5, 5.3e-5), surveys=(survey(), ADVISORY)),
    candidate(
        "digits_float32",
        "float32",
        100_300,
        (*checks(0.99, 140.0), MISSED),
        (2.5e-5, 3.8e-5),
        surveys=(survey(("block1/Resize", "RESIZE_BILINEAR", "dynamic shape"), partitions=3),),
        entry={"devices": (device("cortex-a53"), device("cortex-a76", 0.5))},
    ),
    candidate(
        "digits_smallest",
        "auto",
        24_000,
        checks(0.98, 28.0),
        (7.3e-5, 2.27e-2),
        entry={"search": SEARCH, "scheme": MIXED, "precision": "weight_int4"},
    ),
    candidate(
        "onnx_float32",
        "float32",
        60_000,
        checks(0.99, 138.0),
        format="onnx",
        in_target=False,
        unseen=("not timed: no runtime",),
    ),
    refused("onnx_float16", "the converter has no kernel for Resize"),
)


def comparison(*candidates: Candidate, **more: Any) -> Comparison:
    """Of these candidates; by default of files that pass, miss a limit, are not timed, and are refused."""
    found = mark_pareto(candidates or CANDIDATES)
    found = tuple(c.model_copy(update={"layers": layers(20.5, 31.0, 44.0)}) if "int8" in c.name else c for c in found)
    given = {
        "target": "android",
        "platform": "android",
        "metric": "top1",
        "samples": 2000,
        "reference": check("accuracy", 0.99, interval=(0.985, 0.995)),
        "manifest": manifest(*(c.entry for c in found if c.entry)),
        "graphs": GRAPHS,
        "computer": Computer(processor="Some CPU", cores=8, system="Linux x86_64", runtimes={"LiteRT": "2.3.0"}),
        **more,
    }
    return Comparison(candidates=found, **given)


CHANGES = (
    Change(artifact="digits_int8", what="bytes", before="40.0 kB", after="37.6 kB", verdict="better"),
    Change(artifact="digits_int8", what="accuracy_drop", before="0.00 %", after="0.50 %", verdict="worse"),
)
