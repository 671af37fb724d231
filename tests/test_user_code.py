"""Code that a target names: loaded from its folder, and known by every file of it that is used."""

import sys
from pathlib import Path

import pytest

from mobile_export.errors import ModelError
from mobile_export.target import UserCode
from mobile_export.user_code import code_files, load_code


@pytest.fixture(autouse=True)
def own_path(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))


def write(folder: Path, **modules: str) -> Path:
    """Modules by name; `package.module` with two underscores between them."""
    for name, text in modules.items():
        package, _, module = name.rpartition("__")
        (folder / package).mkdir(exist_ok=True)
        (folder / package / f"{module}.py").write_text(text)
    return folder


def test_a_module_in_the_targets_folder(tmp_path: Path) -> None:
    write(tmp_path, user_code_plain="def build():\n    return 5\n")
    code = UserCode(tmp_path, "user_code_plain", "build")
    assert load_code(code, "model.builder")() == 5
    assert code_files(code) == [tmp_path / "user_code_plain.py"]


def test_what_it_imports_from_there_belongs_to_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        user_code_main="import json\nimport numpy\nfrom user_code_helper import X\n\ndef build():\n    return X\n",
        user_code_helper="from user_code_far import X\n",
        user_code_far="X = 3\n",
        user_code_unrelated="X = 4\n",
    )
    code = UserCode(tmp_path, "user_code_main", "build")
    names = ["user_code_far.py", "user_code_helper.py", "user_code_main.py"]
    assert code_files(code) == [tmp_path / name for name in names]
    assert load_code(code, "model.builder")() == 3


@pytest.mark.parametrize("initialized", [True, False])
def test_a_package(initialized: bool, tmp_path: Path) -> None:
    name = f"user_code_package_{initialized}"
    modules = {
        "net": "from . import layers\nfrom .sizes import WIDTH\n\ndef build():\n    return layers.make(WIDTH)\n",
        "layers": "def make(width):\n    return [width]\n",
        "sizes": f"import {name}.base\nWIDTH = {name}.base.WIDTH\n",
        "base": "WIDTH = 6\n",
    }
    write(tmp_path, **{f"{name}__{module}": text for module, text in modules.items()})
    if initialized:
        (tmp_path / name / "__init__.py").touch()
    code = UserCode(tmp_path, f"{name}.net", "build")
    files = [*(["__init__.py"] if initialized else []), "base.py", "layers.py", "net.py", "sizes.py"]
    assert code_files(code) == [tmp_path / name / file for file in files]
    assert load_code(code, "model.builder")() == [6]


def test_an_installed_package_has_no_files_here(tmp_path: Path) -> None:
    assert code_files(UserCode(tmp_path, "json.decoder", "JSONDecoder")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("X = 1\n", "has no 'build'; define it there"),
        ("import no_such_module_at_all\n", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("raise OSError('no data')\n", "OSError: no data"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
    ],
)
def test_modules_that_do_not_load(text: str, said: str, tmp_path: Path) -> None:
    name = f"user_code_bad_{abs(hash(text))}"
    write(tmp_path, **{name: text})
    with pytest.raises(ModelError) as caught:
        load_code(UserCode(tmp_path, name, "build"), "model.builder")
    assert said in str(caught.value)


def test_a_module_that_is_missing(tmp_path: Path) -> None:
    code = UserCode(tmp_path, "user_code_missing", "build")
    assert code_files(code) == []
    with pytest.raises(
        ModelError, match=r"model\.builder: 'user_code_missing' cannot be imported: ModuleNotFoundError"
    ):
        load_code(code, "model.builder")


@pytest.mark.parametrize("text", ["def build(:\n", "x = '\0'\n", "# coding: nothing\n", "(" * 10_000])
def test_a_module_that_is_no_python(text: str, tmp_path: Path) -> None:
    write(tmp_path, user_code_broken=text)
    with pytest.raises(ModelError, match=r"user_code_broken\.py"):
        code_files(UserCode(tmp_path, "user_code_broken", "build"))
