"""What stands for a model's files in the keys."""

from pathlib import Path

import pytest

from mobile_export.errors import ModelError
from mobile_export.keys import LARGEST, source_hashes


def test_files_go_by_their_place_below_what_holds_them_all(tmp_path: Path) -> None:
    files = [tmp_path / "saved/saved_model.pb", tmp_path / "saved/variables/variables.index", tmp_path / "code.py"]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(file.name.encode())
    found = source_hashes(files)
    assert list(found) == ["saved/saved_model.pb", "saved/variables/variables.index", "code.py"]
    assert len(set(found.values())) == 3
    moved = tmp_path.rename(tmp_path.with_name("elsewhere"))
    assert source_hashes([moved / file.relative_to(tmp_path) for file in files]) == found


def test_a_file_of_any_size_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "model.data").open("wb") as file:
        file.truncate(LARGEST + 1)  # sparse: takes no room, and would take minutes to read
    with pytest.raises(ModelError, match=r"model\.data: the model's files take \d+ bytes"):
        source_hashes([tmp_path / "model.data"])
