"""Models that a file cannot hold are refused before they are run; the limits of formats are made small here."""

from pathlib import Path

import pytest

from mobile_export.errors import ConversionError
from mobile_export.formats import FORMATS, Request
from mobile_export.graph_files.graph_def import write_graph_def
from mobile_export.pipeline import prepare, write
from mobile_export.planning.plan import load_targets
from mobile_export.session import Session
from mobile_export.target import Target
from tests.graph_text import parse

LIMITED = [name for name, unit in FORMATS.items() if unit.room is not None]
TWICE = """
x = Placeholder float32[1,8]
v = Const float32[8,8] ~1
w = Const float32[8,8] ~{seed}
a = MatMul(x, v) transpose_a=false transpose_b=false
y = MatMul(a, w) transpose_a=false transpose_b=false
input x = x:0
output y = y:0
"""
WEIGHTS = 8 * 8 * 4  # bytes of one matrix


@pytest.fixture(autouse=True)
def _small_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LIMITED:
        monkeypatch.setattr(type(FORMATS[name]), "room", WEIGHTS)


def make_target(folder: Path, seed: int) -> Target:
    with (folder / "model.pb").open("wb") as file:
        write_graph_def(file, parse(TWICE.format(seed=seed)))
    artifacts = "\n".join(f'[[artifacts]]\nname = "{name}"\nformat = "{name}"' for name in (*LIMITED, "memmapped"))
    edges = '[[model.inputs]]\nname = "x"\ntensor = "x:0"\n[[model.outputs]]\nname = "y"\ntensor = "y:0"'
    path = folder / "target.toml"
    path.write_text(f'name = "twice"\n[model]\nsource = "model.pb"\n{edges}\n{artifacts}\n')
    ((_, target),) = load_targets([path])
    (folder / "work").mkdir()
    return target


def test_all_that_cannot_be_is_refused_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the graph was run")

    monkeypatch.setattr(Session, "evaluate", never)
    target = make_target(tmp_path, seed=2)
    with pytest.raises(ConversionError) as caught:
        prepare(target, tmp_path / "work", target.artifacts)
    said = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in said] == [f"artifact {name!r}" for name in LIMITED]


def test_what_transforms_make_small_enough_is_not_refused(tmp_path: Path) -> None:
    """Of two equal matrices, one reaches the file."""
    target = make_target(tmp_path, seed=1)
    assert prepare(target, tmp_path / "work", target.artifacts).parameters == 64


@pytest.mark.parametrize("name", LIMITED)
def test_who_writes_asks_again(name: str, tmp_path: Path) -> None:
    """Others may have prepared for files that hold more."""
    target = make_target(tmp_path, seed=2)
    prepare(target, tmp_path / "work")
    request = Request("phone", tmp_path / f"file{FORMATS[name].suffix}")
    with pytest.raises(ConversionError, match=f"^artifact 'phone': the weights take .* and {name} files are made of"):
        write(name, tmp_path / "work", [request])
    assert not request.path.exists()
