"""What is installed, and which we are."""

import shutil
from pathlib import Path

import pytest

from mobile_export import environment
from mobile_export.environment import code_version


@pytest.mark.parametrize("changed", ["environment.py", "arity.txt", "kernels/runtimes/tensorflow-android-1.4.0.txt"])
def test_whatever_comes_with_the_package_is_of_its_version(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(environment.__file__).parent
    copy = shutil.copytree(root, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(environment, "__file__", str(copy / "environment.py"))
    code_version.cache_clear()
    before = code_version()
    (copy / changed).write_text("changed")
    code_version.cache_clear()
    assert code_version() != before
    monkeypatch.undo()
    code_version.cache_clear()
    assert code_version() == before, "what Python has compiled does not count"
