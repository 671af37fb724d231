"""Files of class names."""

from pathlib import Path

import pytest

from mobile_export import labels
from mobile_export.errors import ModelError


def test_one_name_a_line(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes('\ufeffCat\r\nDög\n\n$x"'.encode())
    assert labels.read_labels(file) == ("Cat", "Dög", "", '$x"')


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
