"""The manifest as a file: what is read back, and what is refused."""

import json
from pathlib import Path

import pytest

from mobile_export.errors import ModelError
from mobile_export.manifest import FILE_NAME, load_manifest
from tests.apps.manifests import entry, manifest


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    whole = manifest(entry("a", "tflite"), generated={"kotlin/com/example/Demo.kt": "0" * 64})
    whole.save(tmp_path)
    assert load_manifest(tmp_path) == whole


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../a.kt", "kotlin/../../a.kt", "elsewhere/a.kt", "", "kotlin\\..\\..\\a.kt"]
)
def test_paths_that_leave_the_folder_are_refused(tmp_path: Path, path: str) -> None:
    manifest(entry("a", "tflite"), generated={"kotlin/A.kt": "0" * 64}).save(tmp_path)
    saved = json.loads((tmp_path / FILE_NAME).read_text())
    for changed in (
        saved | {"generated": {path: "0" * 64}},
        saved | {"artifacts": [saved["artifacts"][0] | {"file": path}]},
    ):
        (tmp_path / FILE_NAME).write_text(json.dumps(changed))
        with pytest.raises(ModelError, match=r"manifest\.json: not a manifest of schema version 1"):
            load_manifest(tmp_path)
