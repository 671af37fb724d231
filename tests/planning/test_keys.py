"""What stands for a model's files in the keys."""

from pathlib import Path

import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.planning.keys import LARGEST, artifact_key, file_hashes, source_hashes
from mobile_export.planning.plan import choices
from mobile_export.session import import_tensorflow
from mobile_export.target import Target, load_target


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


def target(folder: Path, passes: str) -> Target:
    path = folder / "t.toml"
    model, artifact = '[model]\nsource = "m.pb"', '[[artifacts]]\nname = "a"\nformat = "tflite"'
    path.write_text(f"name = 't'\n{model}\n[transforms]\npasses = '{passes}'\n{artifact}\n")
    return load_target(path, choices())


def test_what_files_of_transforms_hold_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path.parent)
    (tmp_path / "seen.log").write_text("one")
    asked = target(tmp_path, 'sort freeze_requantization_ranges(min_max_log_file="seen.log")')
    before = file_hashes(asked)
    assert list(before) == ["min_max_log_file of freeze_requantization_ranges, transform 2"]
    (tmp_path / "seen.log").write_text("two")
    assert file_hashes(asked).keys() == before.keys()
    assert file_hashes(asked) != before


def test_what_checkpoints_of_transforms_hold_counts(tmp_path: Path) -> None:
    tf = import_tensorflow()
    checkpoint = tf.train.Checkpoint(w=tf.Variable(np.ones(3, np.float32)))
    checkpoint.write(str(tmp_path / "c" / "model"))
    for named in ("c/model", "c/model.index", "c"):
        found = file_hashes(target(tmp_path, f'sparsify_gather(input_checkpoint="{named}")'))
        role = "input_checkpoint of sparsify_gather, transform 1"
        assert list(found) == [f"{role}.index", f"{role}.data-00000-of-00001"]


def test_a_missing_file_of_a_transform_is_named(tmp_path: Path) -> None:
    asked = target(tmp_path, 'freeze_requantization_ranges(min_max_log_file="seen.log")')
    with pytest.raises(ModelError, match=r"seen\.log: missing; name a file that is there in transforms\.passes"):
        file_hashes(asked)


KEYED = """
name = "t"
[model]
source = "m.pb"
[[artifacts]]
name = "a"
format = "graphdef"
[[artifacts]]
name = "b"
format = "graphdef"
"""


def key_of(folder: Path, text: str, data: dict[str, str] | None = None) -> str:
    """Of the artifact `a`."""
    (folder / "t.toml").write_text(text)
    loaded = load_target(folder / "t.toml", choices())
    return artifact_key(loaded, loaded.artifacts[0], {"m.pb": "1"}, data or {}, {"numpy": "2"})


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("[model]", '[app]\nclass_name = "T"\nkotlin_package = "com.example"\n[model]', True),
        ('name = "t"', 'name = "u"', True),
        ('name = "t"', 'name = "t"\nplatform = "ios"', True),
        ('name = "b"', 'name = "b"\nlimits = { size = 9 }', True),
        ('name = "b"\nformat = "graphdef"', 'name = "b"\nformat = "tflite"', True),
        ('name = "b"', 'name = "b"\nkernels = "tensorflow-android-1.4.0"', True),
        ('name = "a"', 'name = "a"\nlimits = { size = 9 }', False),
        ('source = "m.pb"', 'source = "m.pb"\nversion = "3"', False),
        ('source = "m.pb"', 'source = "m.pb"\noutputs = [{ name = "y" }]', False),
        ("[model]", '[transforms]\npasses = "sort"\n[model]', False),
        ("[model]", '[data]\naccept = ["amount"]\n[model]', False),
    ],
)
def test_a_key_holds_what_could_change_its_file_and_no_more(tmp_path: Path, old: str, new: str, same: bool) -> None:
    assert (key_of(tmp_path, KEYED) == key_of(tmp_path, KEYED.replace(old, new))) is same


def test_the_kernels_that_one_artifact_is_held_against_are_in_no_other_key(tmp_path: Path) -> None:
    before = key_of(tmp_path, KEYED, {"calibration": "1"})
    assert key_of(tmp_path, KEYED, {"calibration": "1", "kernels for b": "2"}) == before
    assert key_of(tmp_path, KEYED, {"calibration": "1", "kernels for a": "2"}) != before
    assert key_of(tmp_path, KEYED, {"calibration": "2"}) != before
