"""Code that a target names: loaded from its folder, and known by every file of it that is used."""

import sys
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from zipfile import ZipFile

import pytest

from mobile_export.errors import ModelError
from mobile_export.target import UserCode
from mobile_export.user_code import imports_of, load_code


def code_files(code: UserCode) -> list[Path]:
    return list(imports_of(code).files.values())


@pytest.fixture(autouse=True)
def own_path(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))


def write(folder: Path, **modules: str) -> Path:
    """Modules by name; `package.module` with two underscores between them."""
    for name, text in modules.items():
        package, _, module = name.rpartition("__")
        module = "__init__" if module == "init" else module
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


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch) -> Path:
    """A folder on Python's path, before what is installed."""
    folder = tmp_path / "lib"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    return folder


def metric(tmp_path: Path, text: str) -> UserCode:
    (tmp_path / "target").mkdir(exist_ok=True)
    write(tmp_path / "target", user_code_metric=text)
    return UserCode(tmp_path / "target", "user_code_metric", "score")


def test_code_from_pythons_path_belongs_to_it(tmp_path: Path, elsewhere: Path) -> None:
    code = metric(tmp_path, "from user_code_lib.sums import add\nimport user_code_lib.far.away\n")
    write(elsewhere, user_code_lib__init="", user_code_lib__sums="from . import more\n", user_code_lib__more="")
    (elsewhere / "user_code_lib/far").mkdir()
    (elsewhere / "user_code_lib/far/away.py").touch()
    found = imports_of(code)
    assert found.files == {
        "user_code_lib/__init__.py": elsewhere / "user_code_lib/__init__.py",
        "user_code_lib/far/away.py": elsewhere / "user_code_lib/far/away.py",
        "user_code_lib/more.py": elsewhere / "user_code_lib/more.py",
        "user_code_lib/sums.py": elsewhere / "user_code_lib/sums.py",
        "user_code_metric.py": tmp_path / "target/user_code_metric.py",
    }
    assert found.unknown == ()
    assert "user_code_lib" not in sys.modules


def test_where_another_file_would_be_imported(tmp_path: Path, elsewhere: Path) -> None:
    code = metric(tmp_path, "import user_code_late\nimport json\n")
    last = tmp_path / "last"
    last.mkdir()
    sys.path.append(str(last))
    write(last, user_code_late="X = 1\n")
    before = imports_of(code)
    assert last / "user_code_late.py" in before.files.values()
    shadows = [folder / name for folder in (tmp_path / "target", elsewhere) for name in ("user_code_late", "json")]
    for shadow in shadows:
        for file in (shadow.with_suffix(".py"), shadow / "__init__.py", shadow.with_suffix(".so")):
            assert file in before.gaps
    assert last / "user_code_late/__init__.py" in before.gaps
    write(elsewhere, user_code_late="X = 2\n")
    assert elsewhere / "user_code_late.py" in imports_of(code).files.values()
    assert last / "user_code_late.py" not in imports_of(code).files.values()


def test_a_package_in_several_places(tmp_path: Path, elsewhere: Path) -> None:
    code = metric(tmp_path, "import user_code_space.here, user_code_space.there\n")
    write(tmp_path / "target", user_code_space__here="")
    write(elsewhere, user_code_space__there="")
    found = imports_of(code)
    assert set(found.files) == {"user_code_metric.py", "user_code_space/here.py", "user_code_space/there.py"}
    assert tmp_path / "target/user_code_space/there.py" in found.gaps
    assert found.unknown == ()


def install(folder: Path, name: str, record: str, origin: str | None = None) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text(record)
    if origin is not None:
        (info / "direct_url.json").write_text(origin)


def test_installed_packages_are_known_by_their_versions(tmp_path: Path, elsewhere: Path) -> None:
    code = metric(tmp_path, "import numpy\nimport user_code_dist.deep\n")
    write(elsewhere, user_code_dist__init="import nothing_of_the_kind\n", user_code_dist__deep="")
    install(elsewhere, "user-code-dist", "user_code_dist/__init__.py,,\nuser_code_dist/deep.py,,\n")
    found = imports_of(code)
    assert set(found.files) == {"user_code_metric.py"}
    assert found.packages == ("numpy", "user-code-dist")
    assert found.unknown == ()


@pytest.mark.parametrize("origin", ['{"url": "file:///x", "dir_info": {"editable": true}}', "{"])
def test_packages_that_are_being_edited_are_followed(tmp_path: Path, elsewhere: Path, origin: str) -> None:
    code = metric(tmp_path, "import user_code_edited\n")
    write(elsewhere, user_code_edited="")
    install(elsewhere, "user-code-edited", "user_code_edited.py,,\n", origin)
    assert set(imports_of(code).files) == {"user_code_edited.py", "user_code_metric.py"}


def test_a_folder_of_sources_with_metadata_is_followed(tmp_path: Path, elsewhere: Path) -> None:
    code = metric(tmp_path, "import user_code_developed\n")
    write(elsewhere, user_code_developed="")
    (elsewhere / "user_code_developed.egg-info").mkdir()
    (elsewhere / "user_code_developed.egg-info/PKG-INFO").write_text("Name: user-code-developed\nVersion: 1\n")
    (elsewhere / "user_code_developed.egg-info/top_level.txt").write_text("user_code_developed\n")
    assert "user_code_developed.py" in imports_of(code).files


class Finder:
    """As setuptools has them for packages that are being edited."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(self, name: str, path: object) -> ModuleSpec | None:
        file = self.folder / "__init__.py"
        inside = [str(self.folder)]
        named = name == self.folder.name
        return spec_from_file_location(name, file, submodule_search_locations=inside) if named else None


def test_packages_that_a_hook_of_python_finds(tmp_path: Path, monkeypatch) -> None:
    code = metric(tmp_path, "from user_code_hooked import part\n")
    write(tmp_path, user_code_hooked__init="", user_code_hooked__part="")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder(tmp_path / "user_code_hooked")])
    found = imports_of(code)
    assert set(found.files) == {"user_code_hooked/__init__.py", "user_code_hooked/part.py", "user_code_metric.py"}
    assert found.unknown == ()


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("import user_code_nowhere\n", "user_code_nowhere"),
        ("import user_code_some.missing\n", "user_code_some.missing"),
        ("import user_code_native\n", "user_code_native"),
        ("import user_code_zipped\n", "user_code_zipped"),
        ("from user_code_some import *\n", "from user_code_some import *"),
        ("import sys\nsys.path.append('x')\n", "FILE: sys.path"),
        ("from sys import path\n", "FILE: path"),
        ("import importlib as i\nx = i.import_module('a' + 'b')\n", "FILE: i.import_module"),
        ("from importlib import import_module as load\n", "FILE: import_module"),
        ("x = __import__('a' + 'b')\n", "FILE: __import__"),
        ("exec(open('x.py').read())\n", "FILE: exec"),
    ],
)
def test_what_cannot_be_followed_is_told(tmp_path: Path, elsewhere: Path, text: str, unknown: str) -> None:
    code = metric(tmp_path, text)
    write(elsewhere, user_code_some__init="")
    (elsewhere / f"user_code_native{EXTENSION_SUFFIXES[0]}").touch()
    with ZipFile(tmp_path / "lib.zip", "w") as file:
        file.writestr("user_code_zipped.py", "")
    sys.path.append(str(tmp_path / "lib.zip"))
    file = str(tmp_path / "target/user_code_metric.py")
    assert imports_of(code).unknown == (unknown.replace("FILE", file),)


def test_names_of_other_things_than_modules_are_no_riddle(tmp_path: Path, elsewhere: Path) -> None:
    text = "import os.path\nimport tensorflow as tf\nfrom user_code_some import X\nimport mobile_export.graphs.graph\n"
    code = metric(tmp_path, text + "from user_code_plain import *\ndef score(m):\n    return m.eval()\n")
    write(elsewhere, user_code_some__init="X = 1\n", user_code_plain="")
    found = imports_of(code)
    assert found.unknown == ()
    assert "tensorflow" in found.packages
    assert set(found.files) == {"user_code_metric.py", "user_code_plain.py", "user_code_some/__init__.py"}
