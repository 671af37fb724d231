"""Names for code, whatever a model calls its parts."""

import pytest

from mobile_export.apps.naming import camel_case, free_names, visible


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("detection_boxes", "detectionBoxes"),
        ("RGB", "rgb"),
        ("Image", "image"),
        ("a/b:0", "aB0"),
        ("0", "_0"),
        ("größe", "grE"),
        ("日本", "tensor"),
        ("", "tensor"),
    ],
)
def test_camel_case(name: str, found: str) -> None:
    assert camel_case(name) == found


def test_no_two_names_are_alike_nor_what_is_made_of_them() -> None:
    assert free_names(["a", "b", "a"]) == ["a", "b", "a_"]
    assert free_names(["run", "run_"], taken={"run"}) == ["run_", "run__"]
    assert free_names(["x", "xLabels"], endings=("", "Labels")) == ["x", "xLabels_"]
    assert free_names(["xLabels", "x"], endings=("", "Labels")) == ["xLabels", "x_"]


def test_a_comment_stays_in_its_line() -> None:
    assert visible("a\nb\u202e\0c é") == "a b  c é"
