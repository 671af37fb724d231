"""What a build reads: files, and what may not appear beside them."""

from pathlib import Path

import pytest

from mobile_export.planning.plan import choices
from mobile_export.planning.reads import Reads, reads_of
from mobile_export.target import load_target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("m.pb", "data.npz", "labels.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "photos/cats/deep").mkdir(parents=True)
    (tmp_path / "photos/cats/0.png").write_bytes(b"")
    (tmp_path / "own.py").write_text("import numpy\nfrom helpers import score\n")
    (tmp_path / "helpers.py").write_text("score = None")
    return tmp_path


def reads(folder: Path, keys: str) -> Reads:
    path = folder / "t.toml"
    path.write_text(f'name = "t"\nmodel.source = "m.pb"\n{keys}\nartifacts = [{{ name = "a", format = "tflite" }}]\n')
    return reads_of(path, load_target(path, choices()))


def names(folder: Path, paths: tuple[Path, ...]) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in paths]


def test_the_target_and_the_model(folder: Path) -> None:
    found = reads(folder, "")
    assert names(folder, found.files) == ["m.pb", "t.toml"]
    assert names(folder, found.folders) == ["."], "m.pb.index beside it would make another model of it"
    assert found.gaps == ()


def test_data_and_labels(folder: Path) -> None:
    found = reads(
        folder,
        'data.calibration.source = "photos"\ndata.evaluation.source = "data.npz"\n'
        'model.outputs = [{ name = "y", labels = "labels.txt" }]',
    )
    assert names(folder, found.files) == ["data.npz", "labels.txt", "m.pb", "photos/cats/0.png", "t.toml"]
    assert names(folder, found.folders) == [".", "photos", "photos/cats", "photos/cats/deep"]


def test_code_and_what_would_be_imported_instead_of_packages(folder: Path) -> None:
    found = reads(folder, 'data.evaluation = { source = "data.npz", metric = "own:score" }')
    assert {"own.py", "helpers.py"} < set(names(folder, found.files))
    here = tuple(gap for gap in found.gaps if gap.is_relative_to(folder))
    assert {"numpy.py", "numpy/__init__.py", "own/__init__.py"} < set(names(folder, here))
    assert not any(path.exists() for path in found.gaps)


def test_the_file_that_says_which_checkpoint_is_meant(folder: Path) -> None:
    (folder / "trained").mkdir()
    for name in ("checkpoint", "m.index", "m.meta", "m.data-00000-of-00001"):
        (folder / "trained" / name).write_bytes(b'model_checkpoint_path: "m"')
    path = folder / "t.toml"
    path.write_text('name = "t"\nmodel.source = "trained"\nartifacts = [{ name = "a", format = "tflite" }]\n')
    from mobile_export.planning import reads as module

    class Source:
        def files(self, model: object) -> list[Path]:
            return [folder / "trained/m.index"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "source_of", lambda model: ("checkpoint", Source()))
        found = reads_of(path, load_target(path, choices()))
    assert "trained/checkpoint" in names(folder, found.files)
    assert {".", "trained"} <= set(names(folder, found.folders))
