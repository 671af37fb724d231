"""The script phase under a sandbox with the rules of Xcode's, for the demo's project and for one that converts."""

import os
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from tests.apps.xcode_phase import line_of, only_these_tools
from tests.e2e.conftest import tree
from tests.e2e.xcode_build import Build
from tests.file_server import file_server
from tests.toolchains import not_run, toolchain

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
PROJECT = "DigitsDemo.xcodeproj"


@pytest.fixture
def xcode(tmp_path, monkeypatch) -> Build:
    """An empty project folder and the sandbox around it."""
    monkeypatch.setenv("FUSE_LIBRARY_PATH", str(toolchain("xcode") / "libfuse3.so.3"))
    if os.geteuid() != 0 and shutil.which("fusermount3") is None:
        not_run("mounting a file system takes root, or Debian's package fuse3")
    made = Build(tmp_path / "backing", tmp_path / "it's mounted", only_these_tools(tmp_path / "bin"))
    made.source.mkdir(parents=True)
    return made


class TestSandbox:
    """That it is the sandbox that the other tests take it for."""

    def script(self, xcode: Build, script: str) -> tuple[int, str]:
        source, app = xcode.mount / "src", xcode.mount / "Build/Products/Debug-iphonesimulator/App.app"
        (xcode.source / "declared").write_text("declared")
        (xcode.source / "secret").write_text("secret")
        ran = xcode.run_script(script, [str(source / "declared")], [str(app / "output")])
        return ran.returncode, ran.stdout + ran.stderr

    def test_declared_inputs_are_shown_and_no_others(self, xcode):
        assert self.script(xcode, "cat declared") == (0, "declared")
        code, said = self.script(xcode, "cat secret")
        assert code == 1
        assert said.endswith("Operation not permitted\n")
        assert "secret\n" not in said

    def test_undeclared_writes_fail_and_leave_nothing(self, xcode):
        for place in (
            "$SRCROOT/new",
            "$TARGET_BUILD_DIR/App.app/new",
            "$DERIVED_FILE_DIR/new",
            "$OBJROOT/new",
            "secret",
        ):
            code, said = self.script(xcode, f'echo x >"{place}"')
            assert code != 0, place
            assert "Operation not permitted" in said
        for action in ("rm declared", "mkdir folder", "/bin/ln -s a b", "mv declared moved", "/bin/chmod 777 declared"):
            code, said = self.script(xcode, action)
            assert code != 0, action
            assert "Operation not permitted" in said
        assert xcode.files() == {"src/declared": b"declared", "src/secret": b"secret"}

    def test_outputs_are_written_and_replaced_by_rename(self, xcode):
        for text in ("first", "second"):
            move = f'echo {text} >"$TEMP_DIR/made" && mv -f "$TEMP_DIR/made" "$TARGET_BUILD_DIR/App.app/output"'
            assert self.script(xcode, move) == (0, "")
            assert (xcode.app / "output").read_text() == f"{text}\n"
        code, _ = self.script(
            xcode, 'echo x >"$TEMP_DIR/made" && mv -f "$TEMP_DIR/made" "$TARGET_BUILD_DIR/App.app/other"'
        )
        assert code != 0
        assert sorted(path.name for path in xcode.app.iterdir()) == ["output"]

    def test_the_network_is_open(self, xcode):
        with file_server() as server:
            server.files["/x"] = b"hello"
            assert self.script(xcode, f"curl --silent {server.url}/x") == (0, "hello")

    def test_no_python_is_found(self, xcode):
        assert self.script(xcode, "command -v python3 || command -v python || echo none") == (0, "none\n")


@pytest.fixture
def ios_demo(xcode) -> Build:
    shutil.copytree(ROOT / "ios_demo", xcode.source, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".build"))
    return xcode


def locked_assets(ios_demo: Build) -> dict[str, bytes]:
    folder = ios_demo.source / "models/ios_demo/assets/models/ios_demo"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_demo_gets_its_models_from_the_lock(ios_demo):
    before = ios_demo.files()
    ran = ios_demo.run(PROJECT)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert tree(ios_demo.app) == locked_assets(ios_demo)
    assert sorted(tree(ios_demo.app)) == ["digits_ios_app.onnx", "digits_ios_app_int8.onnx"]
    assert {path: data for path, data in ios_demo.files().items() if path.startswith("src/")} == before
    written = {path: path.stat().st_mtime_ns for path in ios_demo.app.iterdir()}
    assert ios_demo.run(PROJECT).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in ios_demo.app.iterdir()} == written


def test_without_write_it_is_shown_and_nothing_is_written(ios_demo, mobile_export, monkeypatch):
    monkeypatch.chdir(ios_demo.source)
    shutil.rmtree("mobile-export")
    before = ios_demo.files()
    ran = mobile_export("xcode")
    assert ran.code == 0
    assert ios_demo.files() == before
    assert "    $(SRCROOT)/mobile-export.lock\n" in ran.out
    assert f"{PROJECT}/project.pbxproj: as it should be\n" in ran.out
    assert ran.out.endswith("nothing was written; --write does it\n")
    ran = mobile_export("swiftpm", "DigitsKit", "--write")
    assert (ran.code, ran.out.count("as it should be")) == (0, 2)
    file = ios_demo.source / PROJECT / "project.pbxproj"
    file.write_text(file.read_text().replace("/* Frameworks */,", "/* Frameworks */,\n\t\t\t\tDEADBEEF,"))
    ran = mobile_export("xcode")
    assert (ran.code, ran.err.count("warning: ")) == (0, 1)
    assert ran.err.endswith(".buildPhases: DEADBEEF\n")
    ran = mobile_export("xcode", "--app", "Digits")
    assert (ran.code, "has no target 'Digits'; the nearest names are 'DigitsDemo'" in ran.err) == (2, True)
    monkeypatch.chdir(ios_demo.source / "models")
    ran = mobile_export("xcode", "--lock", "../mobile-export.lock")
    assert (ran.code, ran.err) == (2, "error: here are 0 projects of Xcode; say which: NAME.xcodeproj\n")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["xcode", "--build", "x.toml", "--lock", "mobile-export.lock"], "leave out --lock and --target, or --build"),
        (["xcode", "--build", "x.toml", "--target", "ios_demo"], "leave out --lock and --target, or --build"),
        (["xcode", "--golden", "--write"], "'DigitsDemo' is an app, and golden vectors are for a target of tests"),
        (["xcode", "models", "--write"], "models/project.pbxproj: cannot be read"),
        (["swiftpm", "--write"], "Package.swift: cannot be read; name the folder of a Swift package"),
        (["swiftpm", "nowhere", "--write"], "nowhere/Package.swift: cannot be read"),
    ],
)
def test_what_makes_no_sense_is_refused_and_writes_nothing(ios_demo, mobile_export, monkeypatch, words, problem):
    monkeypatch.chdir(ios_demo.source)
    before = ios_demo.files()
    ran = mobile_export(*words)
    assert (ran.code, ran.out) == (2, "")
    assert problem in ran.err
    assert ran.err.count("\n") == 1
    assert ios_demo.files() == before


def test_a_changed_model_replaces_nothing(ios_demo):
    ios_demo.run(PROJECT)
    before = tree(ios_demo.app)
    last = sorted((ios_demo.source / "models/ios_demo/assets/models/ios_demo").iterdir())[-1]
    data = last.read_bytes()
    last.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    ran = ios_demo.run(PROJECT)
    line = line_of(ios_demo.source / "mobile-export.lock", f"assets/models/ios_demo/{last.name}")
    assert ran.returncode == 1
    assert ran.stderr.startswith(
        f"{ios_demo.mount}/src/mobile-export.lock:{line}: error: assets/models/ios_demo/{last.name}: "
    )
    assert "another sha256" in ran.stderr
    assert tree(ios_demo.app) == before


def test_what_is_locked_by_url_is_fetched(ios_demo):
    lock = ios_demo.source / "mobile-export.lock"
    assets = ios_demo.source / "models/ios_demo"
    with file_server() as server:
        server.files |= {f"/{path}": data for path, data in tree(assets).items()}
        lock.write_text(lock.read_text().replace("from models/ios_demo", f"from {server.url}"))
        expected = locked_assets(ios_demo)
        shutil.rmtree(assets)
        inputs = ios_demo.source / "mobile-export/DigitsDemo-ios_demo-inputs.xcfilelist"
        inputs.write_text(
            "".join(f"{line}\n" for line in inputs.read_text().splitlines() if "models/ios_demo" not in line)
        )
        ran = ios_demo.run(PROJECT)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert tree(ios_demo.app) == expected
        server.files = {path: data[::-1] for path, data in server.files.items()}
        shutil.rmtree(ios_demo.app)
        ran = ios_demo.run(PROJECT)
        assert ran.returncode == 1
        assert f"{server.url}/assets/models/ios_demo/" in ran.stderr
        assert tree(ios_demo.app) == {}


@pytest.mark.parametrize("removed", ["mobile-export.lock", "mobile-export.sh", ".onnx"])
def test_an_input_that_is_not_declared_fails(ios_demo, removed):
    inputs = ios_demo.source / "mobile-export/DigitsDemo-ios_demo-inputs.xcfilelist"
    inputs.write_text("".join(f"{line}\n" for line in inputs.read_text().splitlines() if not line.endswith(removed)))
    ran = ios_demo.run(PROJECT)
    assert ran.returncode != 0
    assert removed in ran.stderr
    assert tree(ios_demo.app) == {}


def test_an_output_that_is_not_declared_fails(ios_demo):
    outputs = ios_demo.source / "mobile-export/DigitsDemo-ios_demo-outputs.xcfilelist"
    first, *rest = outputs.read_text().splitlines()
    outputs.write_text("".join(f"{line}\n" for line in rest))
    ran = ios_demo.run(PROJECT)
    assert ran.returncode == 1
    assert f"{Path(first).name} is no output of this build phase" in ran.stderr
    assert tree(ios_demo.app) == {}


@pytest.fixture
def converting(xcode, example, mobile_export, monkeypatch) -> Build:
    """A project that converts in its build: one small artifact with a limit, from the trained example."""
    shutil.copytree(example / "examples", xcode.source / "examples")
    target = (ROOT / "targets/ios_demo.toml").read_text()
    target, _, _ = target.partition("[[artifacts]]")
    target += '[[artifacts]]\nname = "digits_ios_app"\nformat = "onnx"\nlimits = { size = 200_000 }\n'
    (xcode.source / "targets").mkdir()
    (xcode.source / "targets/ios_demo.toml").write_text(target)
    assert tomllib.loads(target)["name"] == "ios_demo"
    shutil.copytree(ROOT / "ios_demo" / PROJECT, xcode.source / PROJECT)
    monkeypatch.chdir(xcode.source)
    ran = mobile_export("xcode", PROJECT, "--build", "targets/ios_demo.toml", "--swift", "Generated", "--write")
    assert ran.code == 0, ran.err
    program = Path(sys.executable).parent / "mobile-export"
    xcode.told = {"MOBILE_EXPORT": str(program), "XDG_CACHE_HOME": str(xcode.backing.parent / "cache")}
    return xcode


def test_a_build_converts_and_stops_at_the_gate(converting):
    xcode, target = converting, converting.source / "targets/ios_demo.toml"
    before = xcode.files()
    ran = xcode.run(PROJECT)
    assert ran.returncode == 0, ran.stderr
    assert sorted(tree(xcode.app)) == ["digits_ios_app.onnx"]
    assert (xcode.source / "Generated/Digits.swift").is_file()
    made = xcode.files()
    assert {path for path in made.keys() - before.keys() if not path.startswith("Build/")} == {
        f"src/Generated/{path.name}" for path in (xcode.source / "Generated").iterdir()
    }

    target.write_text(target.read_text().replace("200_000", "20_000"))
    place = f"{xcode.mount}/src/targets/ios_demo.toml"
    artifact, named = line_of(target, 'name = "digits_ios_app"'), line_of(target, 'name = "ios_demo"')
    ran = xcode.run(PROJECT)
    assert ran.returncode == 1
    (error,) = [line for line in ran.stderr.splitlines() if ": error: " in line]
    assert error.startswith(f"{place}:{artifact}: error: ios_demo: digits_ios_app missed a limit")
    assert xcode.files() == {**made, "src/targets/ios_demo.toml": target.read_bytes()}

    xcode.told["MOBILE_EXPORT_GATE"] = "warn"
    ran = xcode.run(PROJECT)
    assert ran.returncode == 0, ran.stderr
    assert f"{place}:{named}: warning: ios_demo: published although" in ran.stderr

    xcode.told |= {"CONFIGURATION": "DebugRelease", "SWIFT_OPTIMIZATION_LEVEL": "-O"}
    ran = xcode.run(PROJECT)
    assert (ran.returncode, ran.stderr) == (
        1,
        f"{place}:1: error: MOBILE_EXPORT_GATE is warn, which only debug builds may have: "
        "SWIFT_OPTIMIZATION_LEVEL is -O, and -Onone in those\n",
    )

    del xcode.told["MOBILE_EXPORT_GATE"]  # what Debug has published is still there, and is not taken
    ran = xcode.run(PROJECT)
    assert ran.returncode == 1
    assert f"{place}:{artifact}: error: " in ran.stderr


def test_a_build_copies_what_has_changed_and_forgets_what_is_not_declared(converting):
    xcode, target = converting, converting.source / "targets/ios_demo.toml"
    assert xcode.run(PROJECT).returncode == 0
    copies = Path(f"{xcode.temp}/mobile-export-ios_demo/inputs{xcode.mount}/src")

    def copied() -> dict[str, int]:
        return {path.name: path.stat().st_ctime_ns for path in copies.rglob("*") if path.is_file()}

    before = copied()
    target.write_text(target.read_text().replace("200_000", "300_000"))
    assert xcode.run(PROJECT).returncode == 0
    assert {name for name, changed in copied().items() if changed != before[name]} == {"ios_demo.toml"}

    inputs = xcode.source / "mobile-export/DigitsDemo-ios_demo-inputs.xcfilelist"
    inputs.write_text("".join(line for line in inputs.read_text().splitlines(True) if "labels.txt" not in line))
    ran = xcode.run(PROJECT)
    assert ran.returncode != 0
    assert "labels.txt" in ran.stderr
    assert set(before) - set(copied()) == {"labels.txt"}


@pytest.mark.parametrize(
    ("program", "problem"),
    [("", "absolute path"), ("mobile-export", "absolute path"), ("/no/such", "is no program")],
)
def test_the_program_is_named_and_not_looked_for(ios_demo, program, problem):
    (ios_demo.source / "ios.toml").write_text("")
    ios_demo.told = {"MOBILE_EXPORT": program}
    script, inputs, outputs = ios_demo.phase(PROJECT)
    script = script.replace(" locked ", " build ").replace("/mobile-export.lock", "/ios.toml")
    ran = ios_demo.run_script(script, inputs, outputs)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"{ios_demo.mount}/src/ios.toml:1: error: ")
    assert problem in ran.stderr
