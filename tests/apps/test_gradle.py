import pytest

from mobile_export.apps.gradle import GRADLE_4, TODAY, advice, build_file, gradle_script, write_script
from mobile_export.errors import OutputError, TargetError
from mobile_export.formats import FORMATS
from tests.toolchains import ROOT

SUFFIXES = [each.suffix.removeprefix(".") for each in FORMATS.values() if not each.folder]


def test_the_demo_has_the_script_that_is_written_today():
    assert (ROOT / "android_demo" / "app" / TODAY.name).read_text("utf-8") == gradle_script(TODAY, SUFFIXES)


def test_both_scripts_share_what_knows_nothing_of_gradle():
    def shared(script):
        return script[script.index("// ---- What knows nothing of Gradle") :]

    today, gradle4 = (gradle_script(file, SUFFIXES) for file in (TODAY, GRADLE_4))
    assert shared(today) == shared(gradle4)
    assert "class ModelLock" in shared(today)
    assert "def suffixes = ['tflite', 'onnx', 'ort', 'pb', 'mmpb']" in today


@pytest.mark.parametrize("file", [TODAY, GRADLE_4])
def test_a_script_is_written_beside_the_build_file(file, tmp_path):
    (tmp_path / "build.gradle.kts").touch()
    path = write_script(file, tmp_path, gradle_script(file, ["onnx"]))
    newer = gradle_script(file, ["tflite"])
    assert write_script(file, tmp_path, newer) == path
    assert path.read_text() == newer


def test_somebody_elses_file_stays(tmp_path):
    (tmp_path / "build.gradle").touch()
    (tmp_path / TODAY.name).write_text("println 'mine'")
    with pytest.raises(OutputError, match="not of mobile-export"):
        write_script(TODAY, tmp_path, "")
    assert (tmp_path / TODAY.name).read_text() == "println 'mine'"


def test_a_folder_without_a_build_file_is_refused(tmp_path):
    with pytest.raises(TargetError, match=r"has no build\.gradle\.kts and no build\.gradle"):
        write_script(TODAY, tmp_path, "")
    assert not list(tmp_path.iterdir())


def test_advice_is_in_the_language_of_the_build_file(tmp_path):
    for name, apply, suffixes in [
        ("build.gradle.kts", 'apply(from = "mobile-export.gradle")', 'listOf("tflite", "onnx")'),
        ("build.gradle", "apply from: 'mobile-export.gradle'", "['tflite', 'onnx']"),
    ]:
        file = tmp_path / name.replace(".", "-") / name
        file.parent.mkdir()
        file.touch()
        lines = advice(TODAY, build_file(file.parent), ["tflite", "onnx"])
        assert f"    {apply}" in lines
        assert f"    android {{ androidResources {{ noCompress += {suffixes} }} }}" in lines
