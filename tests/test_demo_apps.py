"""The apps of the two demos ship what they lock, and what they lock is what is generated today."""

from pathlib import Path

import pytest

from mobile_export.apps import LANGUAGES
from mobile_export.apps.interface import interface_of
from mobile_export.locking.lock import FILE_NAME, LockedTarget, read_lock
from mobile_export.locking.locked_files import is_there
from mobile_export.published.manifest import load_manifest

ROOT = Path(__file__).parent.parent
DEMOS = {"android_demo": "kotlin", "ios_demo": "swift"}


def locked(demo: str) -> tuple[Path, LockedTarget]:
    """The folder with the demo's models, and what its lock says of them."""
    (target,) = read_lock(ROOT / demo / FILE_NAME).targets
    (source,) = target.sources
    return ROOT / demo / source, target


@pytest.mark.parametrize("demo", DEMOS)
def test_what_is_locked_is_there(demo: str) -> None:
    folder, target = locked(demo)
    assert [file.path for file in target.files if not is_there(folder / file.path, file)] == []


@pytest.mark.parametrize(("demo", "language"), DEMOS.items())
def test_locked_code_is_what_is_generated_now(demo: str, language: str) -> None:
    """Where it is not: `make apps`."""
    folder, target = locked(demo)
    sources = LANGUAGES[language].generate(interface_of(load_manifest(folder)))
    assert {file.path for file in target.files if file.kind == language} == set(sources)
    for path, text in sources.items():
        assert (folder / path).read_text(encoding="utf-8") == text, path
