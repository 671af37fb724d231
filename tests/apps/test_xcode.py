"""Build phases in project files: what is added, and that nothing else changes."""

import difflib
import shutil
from pathlib import Path

import pytest

from mobile_export.apps import swift
from mobile_export.apps.interface import interface_of
from mobile_export.apps.xcode import project as project_module
from mobile_export.apps.xcode.build_phase import project_changes
from mobile_export.apps.xcode.file_change import FileChange
from mobile_export.apps.xcode.openstep import comment, parse, quoted
from mobile_export.apps.xcode.phase_source import PhaseSource, Taken, locked_source
from mobile_export.apps.xcode.plugin import left_to_do, package_changes
from mobile_export.apps.xcode.project import FILE_NAME, Project, ScriptPhase, read_project
from mobile_export.apps.xcode.script import script_text
from mobile_export.errors import TargetError
from mobile_export.published.manifest import load_manifest
from tests.apps.xcode_phase import write_files, write_lock

DEMO = Path(__file__).parents[2] / "ios_demo"
PHASE = ScriptPhase(
    "ios", "Models of ios", 'exec /bin/sh "x"\n', "$(SRCROOT)/in.xcfilelist", "$(SRCROOT)/out.xcfilelist"
)

PLAIN = """// !$*UTF8*$!
{
	archiveVersion = 1;
	objects = {
		A1 /* Project object */ = {isa = PBXProject; mainGroup = G1; projectDirPath = ""; targets = (T1, T2, ); };
		G1 = {isa = PBXGroup; children = (); };
		P1 = {isa = PBXSourcesBuildPhase; files = (); };
		P2 /* a } in a name */ = {isa = PBXFrameworksBuildPhase; files = (); };
		T1 = {isa = PBXNativeTarget; buildPhases = (P2, P1, ); name = "My App"; productType = "APPLICATION"; };
		T2 = {isa = PBXNativeTarget; buildPhases = (); name = Tests; productType = "com.apple.product-type.bundle"; };
	};
	rootObject = A1 /* Project object */;
}
""".replace("APPLICATION", "com.apple.product-type.application")


@pytest.fixture
def demo() -> Project:
    """The demo's project as Xcode would have it without a phase of ours."""
    text = (DEMO / "DigitsDemo.xcodeproj" / FILE_NAME).read_text()
    start, end = (f"/* {side} PBXShellScriptBuildPhase section */\n" for side in ("Begin", "End"))
    section = text[text.index(start) : text.index(end) + len(end) + 1]
    text = text.replace(section, "")
    return Project("".join(line for line in text.splitlines(keepends=True) if "mobile-export)" not in line), "demo")


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    lines = list(difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True)))
    return [line[2:] for line in lines if line[0] == "-"], [line[2:] for line in lines if line[0] == "+"]


def test_a_phase_is_added_and_nothing_else_changes(demo):
    edited = demo.with_phase(demo.target(None), PHASE)
    gone, come = changed_lines(demo.text, edited.text)
    assert gone == []
    assert len(come) == 24
    (id_,) = {line.split()[0] for line in come if "/* Models of ios */" in line}
    assert edited.target("DigitsDemo").phases.items[0].value == id_
    assert edited.dangling() == []


def test_adding_again_changes_nothing(demo):
    once = demo.with_phase(demo.target(None), PHASE)
    assert once.with_phase(once.target(None), PHASE).text == once.text
    assert demo.with_phase(demo.target(None), PHASE).text == once.text, "ids are not by chance"


def test_a_large_file_is_read_once_and_once_more_after_an_edit(demo, monkeypatch):
    read = []
    monkeypatch.setattr(project_module, "parse", lambda text, name: read.append(text) or parse(text, name))
    project = Project(demo.text, "demo")
    once = project.with_phase(project.target(None), PHASE)
    assert read == [demo.text, once.text]
    assert once.with_phase(once.target(None), PHASE) is once
    once.with_phase(once.target(None), ScriptPhase("ios", "Models", "new\n", "new.xcfilelist", "new.xcfilelist"))
    assert len(read) == 3


def test_other_people_read_what_was_written(demo, tmp_path):
    from pbxproj import XcodeProject

    path = tmp_path / FILE_NAME
    path.write_text(demo.with_phase(demo.target(None), PHASE).text)
    read = XcodeProject.load(str(path))
    (phase,) = read.objects.get_objects_in_section("PBXShellScriptBuildPhase")
    assert phase.shellScript == PHASE.script
    assert list(phase.inputFileListPaths) == [PHASE.inputs]
    assert phase.get_id() in read.objects.get_targets("DigitsDemo")[0].buildPhases


def test_a_phase_is_brought_up_to_date_and_keeps_what_people_changed(demo):
    old = demo.with_phase(demo.target(None), ScriptPhase("ios", "Models", "old\n", "old.xcfilelist", PHASE.outputs))
    moved = old.text.replace("name = Models;", 'alwaysOutOfDate = 1;\n\t\t\tname = "My models";')
    edited = Project(moved, "demo").with_phase(old.target(None), PHASE)
    gone, come = changed_lines(moved, edited.text)
    assert [line.strip() for line in gone] == ["old.xcfilelist,", 'shellScript = "old\\n";']
    assert [line.strip() for line in come] == [
        '"$(SRCROOT)/in.xcfilelist",',
        'shellScript = "exec /bin/sh \\"x\\"\\n";',
    ]
    assert 'name = "My models";' in edited.text


def test_a_key_that_somebody_removed_comes_back(demo):
    old = demo.with_phase(demo.target(None), PHASE)
    without = "".join(line for line in old.text.splitlines(keepends=True) if "shellPath" not in line)
    edited = Project(without, "demo").with_phase(old.target(None), PHASE)
    assert edited.text.count("shellPath = /bin/sh;") == 1
    assert edited.with_phase(edited.target(None), PHASE).text == edited.text


def test_a_phase_that_somebody_took_out_of_the_target_is_put_back(demo):
    old = demo.with_phase(demo.target(None), PHASE)
    without = "".join(
        line for line in old.text.splitlines(keepends=True) if not line.endswith("/* Models of ios */,\n")
    )
    assert Project(without, "demo").with_phase(old.target(None), PHASE).text == old.text


@pytest.mark.parametrize("ids", [("000000000000000000000000", "FFFFFFFFFFFFFFFFFFFFFFFF")])
def test_phases_stay_in_the_order_of_their_ids(demo, ids):
    first, last = (f"\t\t{id_} = {{\n\t\t\tisa = PBXShellScriptBuildPhase;\n\t\t}};\n" for id_ in ids)
    section = (
        f"/* Begin PBXShellScriptBuildPhase section */\n{first}{last}/* End PBXShellScriptBuildPhase section */\n\n"
    )
    project = Project(demo.text.replace("/* Begin PBXSources", section + "/* Begin PBXSources"), "demo")
    text = project.with_phase(project.target(None), PHASE).text
    assert text.index(first) < text.index("/* Models of ios */ = {") < text.index(last)


def test_a_project_in_a_form_of_its_own():
    project = Project(PLAIN, "plain")
    edited = project.with_phase(project.target("My App"), PHASE)
    (id_,) = set(edited._tables) - set(project._tables)
    assert [phase.value for phase in edited.target("My App").phases.items] == ["P2", id_, "P1"]
    tests = edited.with_phase(edited.target("Tests"), PHASE)
    assert len(tests.target("Tests").phases.items) == 1
    assert tests.dangling() == []
    assert changed_lines(PLAIN, tests.text)[0] != PLAIN.splitlines()


def test_ends_of_lines_stay_as_they_are(demo):
    project = Project(demo.text.replace("\n", "\r\n"), "demo")
    edited = project.with_phase(project.target(None), PHASE).text
    assert edited.count("\n") == edited.count("\r\n")
    assert edited.replace("\r\n", "\n") == demo.with_phase(demo.target(None), PHASE).text


def test_text_cannot_leave_its_place(demo):
    hostile = ScriptPhase("*/ x", '*/ evil = {"; \\', '"; }; rm -rf $HOME \\ \n\t', "a, b);", "c")
    edited = demo.with_phase(demo.target(None), hostile)
    assert set(edited._tables) - set(demo._tables) == {min(set(edited._tables) - set(demo._tables))}
    (phase,) = [table for key, table in edited._tables.items() if key not in demo._tables]
    assert phase.entries["shellScript"].value == hostile.script
    assert phase.entries["name"].value == hostile.name
    assert phase.entries["inputFileListPaths"].items[0].value == hostile.inputs


@pytest.mark.parametrize(
    "value", ["a", "", "a b", 'say "x"', "tab\tline\nend", "back\\slash", "//x", "ü", "a-b", "$(X)"]
)
def test_strings_come_back(value):
    assert parse(f"{{ x = {quoted(value)}; }}", "text").entries["x"].value == value


def test_strings_as_others_write_them():
    text = '{ a = \'it\\\'s\'; b = "\\U00e4\\101\\""; /* } */ c = (x, y,); "d" = {e = f/g.h;}; // end }\n}'
    table = parse(text, "text")
    assert table.entries["a"].value == "it's"
    assert table.entries["b"].value == 'äA"'
    assert [item.value for item in table.entries["c"].items] == ["x", "y"]
    assert table.entries["d"].entries["e"].value == "f/g.h"
    assert comment("a */ b").count("*/") == 1


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "a value should"),
        ("// !$*UTF8*$!\n{\n a = 1\n}", 4, "';' is missing"),
        ("{\n a = (1 2);\n}", 2, "',' is missing"),
        ("{\n a = \n;}", 3, "where a value should"),
        ("{\n a = 1;\n a = 2;\n}", 3, "a stands there twice"),
        ('{\n a = "x;\n}', 2, "has no place"),
        ("{\n /* \n}", 2, "has no place"),
        ("{ a = 1; } }", 1, "one dictionary"),
        ("{ a = <0f>; }", 1, "'<' has no place"),
        ("{a=" * 100, 1, "deeper than in any project"),
        ("(", 1, "a value should"),
    ],
)
def test_what_is_no_project_file(text, line, problem):
    with pytest.raises(TargetError, match="open the project in Xcode") as error:
        parse(text, "project.pbxproj")
    assert str(error.value).startswith(f"project.pbxproj:{line}: ")
    assert problem in str(error.value)


def test_ids_that_are_not_there_are_found(demo):
    app = next(key for key, table in demo._tables.items() if table.entries["isa"].value == "PBXNativeTarget")
    assert Project(demo.text.replace(f"{app} /* DigitsDemo */ = {{", "X = {"), "demo").dangling() == [
        f"{demo._root}.targets: {app}"
    ]


def test_unknown_targets_are_named():
    project = Project(PLAIN, "plain")
    with pytest.raises(TargetError, match="plain: has no target 'My Apq'; the nearest names are 'My App'"):
        project.target("My Apq")
    with pytest.raises(TargetError, match="has no target 'X'; it has 'My App', 'Tests'"):
        project.target("X")
    assert project.target(None).name == "My App"
    two = Project(PLAIN.replace("product-type.bundle", "product-type.application"), "plain")
    with pytest.raises(TargetError, match="say with --app which target is meant: My App, Tests"):
        two.target(None)


@pytest.fixture
def app(tmp_path) -> Path:
    """A project in a folder of a team's repository, with a lock above it."""
    folder = tmp_path / "ios app" / "App.xcodeproj"
    write_files(folder, {FILE_NAME: PLAIN.encode()})
    contents = {"assets/models/ios/m.onnx": b"m", "swift/M.swift": b"s", "test_assets/models/ios/m.golden": b"g"}
    write_files(tmp_path / "models", contents)
    write_lock(tmp_path / "mobile-export.lock", contents, ["https://example.com/{sha256}", "models", "elsewhere"])
    return folder


def locked_changes(app: Path, name: str | None = None, taken: Taken | None = None) -> list[FileChange]:
    """What the project needs to have what is locked above it."""
    taken = taken or Taken()
    source = locked_source(app.parents[1] / "mobile-export.lock", None, taken)
    return project_changes(app, read_project(app), name, source, taken)


def changes_of(app: Path, name: str | None = None, taken: Taken | None = None) -> dict[str, str]:
    return {change.path.name: change.text for change in locked_changes(app, name, taken)}


def test_lists_hold_what_is_read_and_written(app):
    changes = changes_of(app)
    assert changes["My App-ios-inputs.xcfilelist"].splitlines() == [
        "$(SRCROOT)/mobile-export/mobile-export.sh",
        "$(SRCROOT)/../mobile-export.lock",
        "$(SRCROOT)/../models/assets/models/ios/m.onnx",
    ]
    resources = "$(TARGET_BUILD_DIR)/$(UNLOCALIZED_RESOURCES_FOLDER_PATH)"
    assert changes["My App-ios-outputs.xcfilelist"].splitlines() == [f"{resources}/m.onnx"]
    more = changes_of(app, "Tests", Taken(app.parent / "Generated", golden=True))
    assert more["Tests-ios-outputs.xcfilelist"].splitlines() == [
        f"{resources}/m.onnx",
        "$(SRCROOT)/Generated/M.swift",
        f"{resources}/m.golden",
    ]
    assert len(more["Tests-ios-inputs.xcfilelist"].splitlines()) == 5


def test_golden_vectors_enter_no_app(app):
    with pytest.raises(TargetError, match="'My App' is an app, and golden vectors are for a target of tests"):
        changes_of(app, taken=Taken(golden=True))


def test_the_phase_runs_the_script_on_the_lock(app):
    (phase,) = [
        table
        for key, table in Project(changes_of(app)[FILE_NAME], "app")._tables.items()
        if table.entries["isa"].value == "PBXShellScriptBuildPhase"
    ]
    command = 'exec /bin/sh "$SRCROOT"/mobile-export/mobile-export.sh locked ios "$SRCROOT"/../mobile-export.lock\n'
    assert phase.entries["shellScript"].value == command


def test_the_folder_of_a_project_may_be_another(app):
    (app / FILE_NAME).write_text(PLAIN.replace('projectDirPath = ""', 'projectDirPath = ".."'))
    paths = [change.path for change in locked_changes(app)]
    assert paths[0] == app.parents[1] / "mobile-export" / "mobile-export.sh"


def test_writing_again_changes_nothing(app):
    for change in locked_changes(app):
        assert change.needed
        assert change.shown.startswith(f"{change.path}:\n\n    ")
        change.write()
    written = locked_changes(app)
    assert not any(change.needed for change in written)
    assert all(change.shown.endswith("as it should be\n") for change in written)


def test_the_name_of_a_target_leads_nowhere(app):
    (app / FILE_NAME).write_text(PLAIN.replace('"My App"', '"../../$(HOME)\\nx"'))
    changes = locked_changes(app)
    assert [change.path.parent for change in changes[:3]] == [app.parent / "mobile-export"] * 3
    assert changes[1].path.name == ".._..__(HOME)_x-ios-inputs.xcfilelist"


def test_names_that_lists_cannot_hold(app):
    strange = app.parents[1] / "a$(b)"
    shutil.copytree(app.parents[1] / "models", strange)
    write_lock(
        app.parents[1] / "mobile-export.lock", {"assets/models/ios/m.onnx": b"m", "swift/M.swift": b"s"}, ["a$(b)"]
    )
    with pytest.raises(TargetError, match="characters that lists of Xcode cannot hold"):
        changes_of(app)


def test_a_lock_of_several_targets(app):
    lock = app.parents[1] / "mobile-export.lock"
    assert locked_source(lock, None, Taken()).target == "ios", "the one with Swift"
    with pytest.raises(TargetError, match="say with --target which target is meant; it has android, ios"):
        locked_source(lock, "iso", Taken())


def test_a_target_without_files_for_an_app(app):
    source = PhaseSource("build", "ios", app, (), ("golden.npz", "kotlin/X.kt"))
    with pytest.raises(TargetError, match="has nothing for an app"):
        project_changes(app, read_project(app), None, source, Taken())


def test_dangling_ids_of_others_are_no_obstacle(app):
    text = PLAIN.replace("(P2, P1, )", "(P0, P2, P1, P3, )")
    (app / FILE_NAME).write_text(text)
    edited = Project(changes_of(app)[FILE_NAME], "app")
    assert edited.dangling() == Project(text, "app").dangling() == ["T1.buildPhases: P0", "T1.buildPhases: P3"]
    assert len(edited.target("My App").phases.items) == 5


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"{}", b"{objects = {};}"])
def test_what_is_no_project(app, content):
    (app / FILE_NAME).unlink()
    if content is not None:
        (app / FILE_NAME).write_bytes(content)
    with pytest.raises(TargetError, match=r"project\.pbxproj"):
        changes_of(app)


def test_a_package_gets_script_and_plugin(tmp_path):
    manifest = tmp_path / "Package.swift"
    manifest.write_text("// swift-tools-version:6.0\n")
    for change in package_changes(tmp_path):
        change.write()
    assert (tmp_path / "mobile-export" / "mobile-export.sh").read_text() == script_text()
    assert (tmp_path / "Plugins" / "MobileExportPlugin" / "MobileExportPlugin.swift").is_file()
    assert all(line.startswith(f"{manifest}: ") and "MobileExportPlugin" in line for line in left_to_do(tmp_path))
    assert len(left_to_do(tmp_path)) == 2
    manifest.write_text('// swift-tools-version: 5.9\nplugins: ["MobileExportPlugin"]\n')
    (line,) = left_to_do(tmp_path)
    assert "swift-tools-version has to be 6.0 or newer" in line
    manifest.write_text(manifest.read_text().replace("5.9", "6.1"))
    assert left_to_do(tmp_path) == []


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_what_is_no_package_gets_nothing(tmp_path, content):
    if content is not None:
        (tmp_path / "Package.swift").write_bytes(content)
    with pytest.raises(TargetError, match=r"Package\.swift: cannot be read; name the folder of a Swift package"):
        package_changes(tmp_path)


def test_the_demo_is_as_this_version_writes_it(monkeypatch):
    monkeypatch.chdir(DEMO)
    folder = Path("DigitsDemo.xcodeproj")
    project = read_project(folder)
    source = locked_source(Path("mobile-export.lock"), None, Taken())
    changes = [*project_changes(folder, project, None, source, Taken()), *package_changes(Path("DigitsKit"))]
    assert [change.path.as_posix() for change in changes if change.needed] == []
    assert project.dangling() == []
    assert left_to_do(Path("DigitsKit")) == []


def test_the_shim_of_the_demo_is_that_of_its_class():
    about = swift.describe(interface_of(load_manifest(DEMO / "models" / "ios_demo")))
    folder = DEMO / "DigitsKit" / "Sources" / "CDigitsModel"
    assert (folder / "shim.c").read_text() == swift.render("package/shim.c.j2", about)
    assert (folder / "include" / "CDigitsModel.h").read_text() == swift.render("package/shim.h.j2", about)


@pytest.mark.parametrize(
    "path", sorted(p.relative_to(DEMO).as_posix() for p in DEMO.rglob("*.swift") if ".build" not in p.parts)
)
def test_swift_of_the_demo_parses(path):
    import tree_sitter_swift
    from tree_sitter import Language, Parser

    tree = Parser(Language(tree_sitter_swift.language())).parse((DEMO / path).read_bytes())
    assert not tree.root_node.has_error, path


def test_sources_of_the_demo_are_in_its_project():
    text = (DEMO / "DigitsDemo.xcodeproj" / FILE_NAME).read_text()
    found = sorted(path.name for path in (DEMO / "DigitsDemo").glob("*.swift"))
    assert all(f"/* {name} in Sources */," in text for name in found)
    assert text.count("in Sources */,") == len(found)
    assert text.count("ENABLE_USER_SCRIPT_SANDBOXING = YES;") == 2
    assert "ENABLE_USER_SCRIPT_SANDBOXING = NO" not in text
