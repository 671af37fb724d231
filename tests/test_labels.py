"""Files of class names."""

from pathlib import Path

import pytest

from mobile_export import labels
from mobile_export.errors import ModelError


def test_one_name_a_line(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes('\ufeffCat\r\nDög\n\n$x"'.encode())
    assert labels.read_labels(file) == ("Cat", "Dög", "", '$x"')


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\r"])
def test_nothing_else_ends_a_line(odd: str, tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes(f"a{odd}b\r\nc\n".encode())
    assert labels.read_labels(file) == (f"a{odd}b", "c")


@pytest.mark.parametrize(
    ("text", "names"), [("", ()), ("\n", ("",)), ("a", ("a",)), ("a\n\n", ("a", "")), ("a\r\r\nb\r", ("a\r", "b"))]
)
def test_the_last_line_may_end_or_not(text: str, names: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes(text.encode())
    assert labels.read_labels(file) == names


def test_what_is_no_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "labels.txt"
    with pytest.raises(ModelError, match=r"labels\.txt: cannot be read: No such file"):
        labels.read_labels(file)
    file.write_bytes(b"cat\n\xff")
    with pytest.raises(ModelError, match=r"labels\.txt: not UTF-8 \(byte 4\)"):
        labels.read_labels(file)
    monkeypatch.setattr(labels, "LARGEST", 3)
    with pytest.raises(ModelError, match="too large for class names"):
        labels.read_labels(file)
