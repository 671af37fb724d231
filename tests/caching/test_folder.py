"""Where work is kept between builds."""

import sys
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


def tag(folder: Path) -> str | None:
    path = folder / places.TAG
    return path.read_text() if path.exists() else None


def test_what_it_makes_is_tagged(home: Path) -> None:
    """As https://bford.info/cachedir has it: backups leave it out."""
    cache.cache_folder("searches")
    root = home / ".cache/mobile-export"
    assert tag(root).startswith("Signature: 8a477f597d28d172789f06886806bc55\n")  # type: ignore[union-attr]
    assert places.is_cache(str(root))
    assert not tag(root.parent)


@pytest.mark.parametrize(
    ("before", "tagged"), [([], True), (["artifacts", "builds"], True), (["artifacts", "thesis"], False)]
)
def test_a_folder_of_somebody_else_is_not_tagged(home: Path, monkeypatch, before: list[str], tagged: bool) -> None:
    for name in before:
        (home / "named" / name).mkdir(parents=True)
    monkeypatch.setenv(places.VARIABLE, str(home / "named"))
    cache.cache_folder("builds")
    assert places.is_cache(str(home / "named")) is tagged


@pytest.mark.skipif(sys.platform != "linux", reason="modes are of POSIX, and the place is Linux's")
def test_your_own_is_private_and_a_named_one_is_for_the_umask_to_say(home: Path, monkeypatch) -> None:
    cache.cache_folder("builds")
    monkeypatch.setenv(places.VARIABLE, str(home / "named"))
    cache.cache_folder("builds")
    modes = [(home / name).stat().st_mode & 0o777 for name in (".cache/mobile-export", "named", "named/builds")]
    assert modes == [0o700, 0o755, 0o755]
