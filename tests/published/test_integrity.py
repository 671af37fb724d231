"""Where published folders are."""

from pathlib import Path

import pytest

from mobile_export.errors import ModelError
from mobile_export.published.integrity import published_folders
from tests.published_folder import published


def test_a_manifest_stands_for_its_folder(tmp_path: Path) -> None:
    android, ios = published(tmp_path, "android"), published(tmp_path, "ios")
    assert published_folders(android / "manifest.json") == published_folders(android) == [android]
    assert published_folders(tmp_path) == [android, ios]


@pytest.mark.parametrize("name", ["golden.npz", "elsewhere/manifest.json"])
def test_where_nothing_was_published(name: str, tmp_path: Path) -> None:
    folder = published(tmp_path)
    with pytest.raises(ModelError, match="nothing was published there"):
        published_folders(folder / name)
