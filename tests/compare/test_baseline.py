from types import SimpleNamespace

from mobile_export.compare.baseline import changes_since
from mobile_export.published.manifest import SchemeEntry
from tests.compare.samples import candidate, check, drop, refused
from tests.published_folder import artifact, device, manifest, not_run


def changes(old, *new, names: tuple[str, ...] | None = None) -> list[tuple[str, ...]]:
    """What is found against a baseline of the artifacts `old`."""
    asked = names or tuple(one.name for one in new if one.in_target)
    target = SimpleNamespace(artifacts=[SimpleNamespace(name=name) for name in asked])
    found = changes_since(manifest(*old), target, new)  # type: ignore[arg-type]
    return [(one.artifact, one.what, one.before, one.after, one.verdict) for one in found]


def test_equal_files_changed_nothing() -> None:
    entry = artifact("a", checks=(drop(0.001, 0.002),))
    assert changes([entry], candidate("a", checks=(drop(0.001, 0.002),))) == []


def test_sizes() -> None:
    larger = candidate("a", 950, file={"bytes": 2000})
    assert changes([artifact("a")], larger) == [
        ("a", "bytes", "1.0 kB", "2.0 kB", "worse"),
        ("a", "zipped_bytes", "900 B", "950 B", "worse"),
    ]
    assert changes([artifact("a")], candidate("a", 850)) == [("a", "zipped_bytes", "900 B", "850 B", "better")]


def test_files_that_came_went_or_cannot_be_made() -> None:
    found = changes([artifact("old"), artifact("a")], candidate("new"), refused("a", "no kernel", in_target=True))
    assert found == [
        ("old", "present", "tflite float32", "removed", "different"),
        ("a", "present", "tflite float32", "refused: no kernel", "worse"),
        ("new", "present", "", "new: tflite float32", "different"),
    ]


def test_files_that_the_comparison_alone_has_made_are_no_news() -> None:
    assert changes([artifact("a")], candidate("a"), candidate("onnx_int8", in_target=False)) == []


def test_files_that_were_not_asked_for_are_not_gone() -> None:
    assert changes([artifact("a"), artifact("b")], candidate("a"), names=("a", "b")) == []


def test_precision() -> None:
    old = artifact("a", precision="int8", scheme=SchemeEntry(precision="int8", layers={"x": "float32"}))
    assert changes([old], candidate("a")) == [("a", "precision", "tflite int8, mixed", "tflite float32", "different")]


def test_a_limit_that_holds_no_longer_and_again() -> None:
    passed, missed = drop(0.005, 0.001, limit=0.01), drop(0.02, 0.001, limit=0.01)
    lost, won = ("0.50 % (passed ≤ 1.00 %)", "2.00 % (missed ≤ 1.00 %)")
    assert changes([artifact("a", checks=(passed,))], candidate("a", checks=(missed,))) == [
        ("a", "accuracy_drop", lost, won, "worse")
    ]
    assert changes([artifact("a", checks=(missed,))], candidate("a", checks=(passed,))) == [
        ("a", "accuracy_drop", won, lost, "better")
    ]


def test_values_are_worse_or_better_by_their_direction_and_different_within_noise() -> None:
    old = artifact("a", checks=(check("accuracy", 0.95, half=0.01, unit="share"), check("sqnr", 40.0, unit="dB")))
    new = candidate("a", checks=(check("accuracy", 0.955, half=0.01, unit="share"), check("sqnr", 30.0, unit="dB")))
    assert changes([old], new) == [
        ("a", "accuracy", "95.00 %", "95.50 %", "different"),
        ("a", "sqnr", "40.0 dB", "30.0 dB", "worse"),
    ]
    surely = candidate("a", checks=(check("accuracy", 0.99, half=0.01, unit="share"), check("sqnr", 40.0, unit="dB")))
    assert changes([old], surely) == [("a", "accuracy", "95.00 %", "99.00 %", "better")]


def test_a_new_limit_that_is_missed_is_told() -> None:
    found = changes([artifact("a")], candidate("a", checks=(drop(0.02, limit=0.01),)))
    assert found == [("a", "accuracy_drop", "not measured", "2.00 % (missed ≤ 1.00 %)", "worse")]


def test_a_check_that_is_gone() -> None:
    old = artifact("a", checks=(drop(0.005, 0.001, limit=0.01),))
    assert changes([old], candidate("a", checks=())) == [
        ("a", "accuracy_drop", "0.50 % (passed ≤ 1.00 %)", "no longer checked", "worse")
    ]


def test_a_limit_that_is_another_now() -> None:
    strict, loose, none = (drop(0.005, 0.001, limit=limit) for limit in (0.01, 0.5, None))
    for old, new, verdict in ((strict, loose, "worse"), (loose, strict, "better"), (strict, none, "worse")):
        ((_, what, _, _, found),) = changes([artifact("a", checks=(old,))], candidate("a", checks=(new,)))
        assert (what, found) == ("limit of accuracy_drop", verdict)
    high, low = (check("accuracy", 0.98, limit) for limit in (0.9, 0.5))
    assert changes([artifact("a", checks=(high,))], candidate("a", checks=(low,))) == [
        ("a", "limit of accuracy", "≥ 0.9", "≥ 0.5", "worse")
    ]


def test_devices_that_came_and_went() -> None:
    a53, a76 = device("cortex-a53"), device("cortex-a76")
    assert changes([artifact("a", devices=(a53,))], candidate("a", file={"devices": (a76,)})) == [
        ("a", "on arm64:cortex-a53", "run", "not asked for", "worse"),
        ("a", "on arm64:cortex-a76", "not asked for", "run", "better"),
    ]
    skipped = not_run("cortex-a53", "devices were skipped")
    assert changes([artifact("a", devices=(a53,))], candidate("a", file={"devices": (skipped,)})) == [
        ("a", "on arm64:cortex-a53", "run", "not run: devices were skipped", "worse"),
    ]
    assert changes([artifact("a", devices=(skipped,))], candidate("a", file={"devices": (a53,)})) == [
        ("a", "on arm64:cortex-a53", "not run: devices were skipped", "run", "better"),
    ]


def test_answers_on_a_device_that_differ_now() -> None:
    same, far = device(), device(difference=0.5, limit=1.0)
    assert changes([artifact("a", devices=(same,))], candidate("a", file={"devices": (same,)})) == []
    assert changes([artifact("a", devices=(same,))], candidate("a", file={"devices": (far,)})) == [
        ("a", "limit of device_difference on arm64:cortex-a53", "≤ 0", "≤ 1", "worse"),
        ("a", "device_difference on arm64:cortex-a53", "same bits", "0.5", "worse"),
    ]
    missed = device(difference=0.5)
    assert changes([artifact("a", devices=(same,))], candidate("a", file={"devices": (missed,)})) == [
        ("a", "device_difference on arm64:cortex-a53", "same bits (passed ≤ 0)", "0.5 (missed ≤ 0)", "worse"),
    ]
    new = [
        (what, after) for _, what, _, after, _ in changes([artifact("a")], candidate("a", file={"devices": (missed,)}))
    ]
    assert new == [
        ("on arm64:cortex-a53", "run"),
        ("device_difference on arm64:cortex-a53", "0.5 (missed ≤ 0)"),
    ]


def test_a_score_that_changed_is_not_told_again_for_each_device() -> None:
    before, after = (check("accuracy", score, 0.9) for score in (0.95, 0.93))
    old = artifact("a", checks=(before,), devices=(device(checks=(before,)),))
    told = changes([old], candidate("a", checks=(after,), file={"devices": (device(checks=(after,)),)}))
    assert [what for _, what, *_ in told] == ["accuracy"]


def test_a_score_that_fails_on_a_device_alone_is_told() -> None:
    held, missed = (check("accuracy", score, 0.9) for score in (0.95, 0.5))
    old = artifact("a", checks=(held,), devices=(device(checks=(held,)),))
    told = changes([old], candidate("a", checks=(held,), file={"devices": (device(checks=(missed,)),)}))
    assert told == [("a", "accuracy on arm64:cortex-a53", "0.95 (passed ≥ 0.9)", "0.5 (missed ≥ 0.9)", "worse")]
