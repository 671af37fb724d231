import re

import pytest
from typer.testing import CliRunner

from mobile_export.apps.gradle import GRADLE_4, GRADLE_8, advice, build_file, gradle_script, write_script
from mobile_export.cli import app
from mobile_export.errors import INTERRUPTED, ExportError, OutputError, TargetError
from mobile_export.formats import FORMATS
from tests.toolchains import ROOT

SUFFIXES = [each.suffix.removeprefix(".") for each in FORMATS.values() if not each.folder]


def test_the_demo_has_the_script_that_is_written_today():
    assert (ROOT / "android_demo" / "app" / GRADLE_8.name).read_text("utf-8") == gradle_script(GRADLE_8, SUFFIXES)


def test_both_scripts_share_what_knows_nothing_of_gradle():
    def shared(script):
        return script[script.index("// ---- What knows nothing of Gradle") :]

    today, gradle4 = (gradle_script(file, SUFFIXES) for file in (GRADLE_8, GRADLE_4))
    assert shared(today) == shared(gradle4)
    assert "class ModelLock" in shared(today)
    assert "def suffixes = ['tflite', 'onnx', 'ort', 'pb', 'mmpb']" in today


@pytest.mark.parametrize("file", [GRADLE_8, GRADLE_4])
def test_a_script_is_written_beside_the_build_file(file, tmp_path):
    (tmp_path / "build.gradle.kts").touch()
    newer = gradle_script(file, ["tflite"])
    assert write_script(file, tmp_path, gradle_script(file, ["onnx"]))
    assert write_script(file, tmp_path, newer)
    assert (tmp_path / file.name).read_text() == newer
    assert not write_script(file, tmp_path, newer)


def test_the_command_says_whether_it_wrote(tmp_path):
    (tmp_path / "build.gradle").touch()
    first, second = (CliRunner().invoke(app, ["gradle", str(tmp_path), "--write"]).output for _ in range(2))
    script = tmp_path / GRADLE_8.name
    assert first.startswith(f"{script}: written\n")
    assert second == first.replace("written", "as it should be", 1)


def test_scripts_say_what_exit_codes_mean_for_every_one_there_is():
    meanings = re.search(r"MEANINGS = \[(.*?)\n    \]", gradle_script(GRADLE_8, []), re.DOTALL)[1]
    codes = {int(code) for code in re.findall(r"^ +(\d+): '", meanings, re.MULTILINE)}
    assert codes == {each.exit_code for each in (ExportError, *subclasses(ExportError))} | {INTERRUPTED}


def subclasses(kind):
    return {each for direct in kind.__subclasses__() for each in (direct, *subclasses(direct))}


def test_somebody_elses_file_stays(tmp_path):
    (tmp_path / "build.gradle").touch()
    (tmp_path / GRADLE_8.name).write_text("println 'mine'")
    with pytest.raises(OutputError, match="not of mobile-export"):
        write_script(GRADLE_8, tmp_path, "")
    assert (tmp_path / GRADLE_8.name).read_text() == "println 'mine'"


def test_a_folder_without_a_build_file_is_refused(tmp_path):
    with pytest.raises(TargetError, match=r"has no build\.gradle\.kts and no build\.gradle"):
        write_script(GRADLE_8, tmp_path, "")
    assert not list(tmp_path.iterdir())


def test_advice_is_in_the_language_of_the_build_file(tmp_path):
    for name, apply, suffixes in [
        ("build.gradle.kts", 'apply(from = "mobile-export.gradle")', 'listOf("tflite", "onnx")'),
        ("build.gradle", "apply from: 'mobile-export.gradle'", "['tflite', 'onnx']"),
    ]:
        file = tmp_path / name.replace(".", "-") / name
        file.parent.mkdir()
        file.touch()
        lines = advice(GRADLE_8, build_file(file.parent), ["tflite", "onnx"])
        assert f"    {apply}" in lines
        assert f"    android {{ androidResources {{ noCompress += {suffixes} }} }}" in lines
