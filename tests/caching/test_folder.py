"""Where work is kept between builds."""

from pathlib import Path

import pytest

from mobile_export.caching import folder as cache
from mobile_export.caching import places
from mobile_export.errors import OutputError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch) -> Path:
    for name in (places.VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("platform", "variables", "place"),
    [
        ("linux", {}, ".cache/mobile-export"),
        ("linux", {"XDG_CACHE_HOME": "kept"}, "kept/mobile-export"),
        ("linux", {"XDG_CACHE_HOME": ""}, ".cache/mobile-export"),
        ("darwin", {}, "Library/Caches/mobile-export"),
        ("win32", {"LOCALAPPDATA": "local"}, "local/mobile-export"),
        ("linux", {"MOBILE_EXPORT_CACHE": "here", "XDG_CACHE_HOME": "kept"}, "here"),
    ],
)
def test_the_platform_says_where(home: Path, monkeypatch, platform: str, variables: dict[str, str], place: str) -> None:
    monkeypatch.setattr("sys.platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(home / value) if value else "")
    folder = cache.cache_folder("search")
    assert folder == home / place / "search"
    assert folder.is_dir()


def test_a_file_in_its_way_is_named(home: Path, monkeypatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv(places.VARIABLE, str(home / "file"))
    with pytest.raises(OutputError, match=r"file/search: cannot be made .*; set MOBILE_EXPORT_CACHE"):
        cache.cache_folder("search")
