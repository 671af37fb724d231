"""A `project.pbxproj`: which targets it has, and one build phase put into it or brought up to date."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mobile_export.apps.xcode.openstep import Array, Dictionary, Text, Value, comment, parse, quoted
from mobile_export.errors import TargetError, nearest

FILE_NAME = "project.pbxproj"
_TARGETS = ("PBXAggregateTarget", "PBXLegacyTarget", "PBXNativeTarget")
_SCRIPT = "PBXShellScriptBuildPhase"
_APPLICATION = "com.apple.product-type.application"
_SECTION = re.compile(r"/\* Begin (\w+) section \*/")

# Keys whose strings are ids of other objects. (`remoteGlobalIDString` may be an id of another project.)
_REFERENCES = frozenset(
    "baseConfigurationReference baseConfigurationReferenceAnchor buildConfigurationList buildConfigurations "
    "buildPhases buildRules children containerPortal dependencies exceptions fileRef fileSystemSynchronizedGroups "
    "files mainGroup package packageProductDependencies packageReferences productRef productRefGroup productReference "
    "remoteRef target targetProxy targets".split()
)


@dataclass(frozen=True)
class ScriptPhase:
    """A run-script phase.

    Attributes:
        key: what it is for, in its target; the same key is the same phase.
    """

    key: str
    name: str
    script: str
    inputs: str
    outputs: str

    @property
    def fields(self) -> dict[str, str | tuple[str, ...]]:
        """What is set in a phase that is there already; everything else in it stays as people left it."""
        return {
            "inputFileListPaths": (self.inputs,),
            "outputFileListPaths": (self.outputs,),
            "shellPath": "/bin/sh",
            "shellScript": self.script,
        }


@dataclass(frozen=True)
class XcodeTarget:
    """An app, a framework, tests: what Xcode calls a target."""

    id: str
    name: str
    is_app: bool
    phases: Array


class _Edit(NamedTuple):
    """`text` instead of what stands from `start` to `end`."""

    start: int
    end: int
    text: str


class Project:
    """The text of a project file; an edit gives another.

    Raises:
        TargetError: it is no project file.
    """

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        root = parse(text, name)
        objects = root.entries.get("objects")
        if not isinstance(objects, Dictionary):
            raise TargetError(f"{name}: has no objects, so it is no Xcode project")
        self._objects = objects
        self._tables = {key: value for key, value in objects.entries.items() if isinstance(value, Dictionary)}
        self._root = _string(root, "rootObject")

    @property
    def folder(self) -> str:
        """SRCROOT, relative to the folder that holds the project."""
        return _string(self._object(self._root), "projectDirPath")

    @property
    def targets(self) -> list[XcodeTarget]:
        """In the order of the file."""
        return [
            XcodeTarget(key, _string(table, "name"), _string(table, "productType") == _APPLICATION, phases)
            for key, table in self._tables.items()
            if _string(table, "isa") in _TARGETS and isinstance(phases := table.entries.get("buildPhases"), Array)
        ]

    def target(self, name: str | None) -> XcodeTarget:
        """The target of this name; without one, the only app.

        Raises:
            TargetError: there is none, or more than one.
        """
        names = [target.name for target in self.targets]
        if name is None:
            apps = [target for target in self.targets if target.is_app]
            if len(apps) != 1:
                raise TargetError(f"{self.name}: say with --app which target is meant: {', '.join(names) or 'none'}")
            return apps[0]
        found = [target for target in self.targets if target.name == name]
        if not found:
            near = nearest(name, names) or f"; it has {', '.join(map(repr, names)) or 'none'}"
            raise TargetError(f"{self.name}: has no target {name!r}{near}")
        return found[0]

    def dangling(self) -> list[str]:
        """Ids that are named and not there, as 'object.key: id'."""
        named = [("project", "rootObject", self._root)]
        named += [(key, field, id_) for key, table in self._tables.items() for field, id_ in _referred(table)]
        return [f"{owner}.{field}: {id_}" for owner, field, id_ in named if id_ not in self._tables]

    def with_phase(self, target: XcodeTarget, phase: ScriptPhase) -> "Project":
        """The project with this phase in the target, before its sources are compiled; itself if it is there already.

        Raises:
            TargetError: the phase's id is that of something else.
        """
        id_ = hashlib.sha256(f"mobile-export {target.id} {phase.key}".encode()).hexdigest()[:24].upper()
        edits = self._updated(id_, phase) if id_ in self._tables else [self._added(id_, phase)]
        phases = next(each.phases for each in self.targets if each.id == target.id)
        if not any(isinstance(item, Text) and item.value == id_ for item in phases.items):
            edits.append(self._listed(phases, id_, phase.name))
        return self._edited(edits)

    def _object(self, key: str) -> Dictionary:
        value = self._tables.get(key)
        if value is None:
            raise TargetError(f"{self.name}: names an object that it does not have, {key!r}; open and save it in Xcode")
        return value

    def _edited(self, edits: Sequence[_Edit]) -> "Project":
        """All edits at once; read again, so that what is written can be read."""
        if not edits:
            return self
        text, kept = "", 0
        for start, end, new in sorted(edits, key=lambda edit: edit.start):
            if "\r\n" in self.text:
                new = new.replace("\r\n", "\n").replace("\n", "\r\n")
            text, kept = text + self.text[kept:start] + new, end
        return Project(text + self.text[kept:], self.name)

    def _updated(self, id_: str, phase: ScriptPhase) -> list[_Edit]:
        table = self._tables[id_]
        if _string(table, "isa") != _SCRIPT:
            raise TargetError(f"{self.name}: {id_} is no script phase; remove it")
        edits = []
        for key, value in phase.fields.items():
            old = table.entries.get(key)
            if old is None:
                edits.append(_Edit(table.last, table.last, f"\n\t\t\t{key} = {_written(value)};"))
            elif _plain(old) != value:
                edits.append(_Edit(old.start, old.end, _written(value)))
        return edits

    def _added(self, id_: str, phase: ScriptPhase) -> _Edit:
        rows: Mapping[str, str | tuple[str, ...]] = {
            "isa": _SCRIPT,
            "buildActionMask": "2147483647",
            "files": (),
            "inputPaths": (),
            "name": phase.name,
            "outputPaths": (),
            "runOnlyForDeploymentPostprocessing": "0",
        }
        lines = [f"\t\t\t{key} = {_written(value)};\n" for key, value in _in_order({**rows, **phase.fields})]
        at, before, after = self._place(id_)
        return _Edit(at, at, f"{before}\t\t{id_} {comment(phase.name)} = {{\n{''.join(lines)}\t\t}};\n{after}")

    def _place(self, id_: str) -> tuple[int, str, str]:
        """Where Xcode would put a script phase of this id, and what has to stand around it.

        It writes objects in sections by their kind, in the order of their ids.
        """
        sections = {match[1]: match for match in _SECTION.finditer(self.text)}
        if _SCRIPT in sections:
            later = sorted(key for key, table in self._tables.items() if _string(table, "isa") == _SCRIPT and key > id_)
            at = self._objects.keys[later[0]].start if later else self.text.find(f"/* End {_SCRIPT} section")
            return self.text.rfind("\n", 0, at) + 1, "", ""
        begin, end = f"/* Begin {_SCRIPT} section */\n", f"/* End {_SCRIPT} section */\n"
        following = sorted(kind for kind in sections if kind > _SCRIPT)
        if following:
            return sections[following[0]].start(), begin, f"{end}\n"
        closing = self._objects.end - 1
        line = self.text.rfind("\n", 0, closing) + 1
        if sections:
            return line, f"\n{begin}", end
        return (line, "", "") if not self.text[line:closing].strip() else (closing, "\n", "\t")

    def _listed(self, phases: Array, id_: str, name: str) -> _Edit:
        entry = f"{id_} {comment(name)},"
        sources = {key for key, table in self._tables.items() if _string(table, "isa") == "PBXSourcesBuildPhase"}
        compiled = [item for item in phases.items if isinstance(item, Text) and item.value in sources]
        following = next(iter([*compiled, *phases.items]), None)
        if following is None:
            return _Edit(phases.start, phases.end, _written((id_,), f" {comment(name)}"))
        before = self.text[phases.start : following.start]
        blank = before[len(before.rstrip()) :]
        return _Edit(following.start, following.start, entry + blank)


def read_project(folder: Path) -> Project:
    """The project file in a `.xcodeproj`.

    Raises:
        TargetError: it cannot be read, or is none.
    """
    path = folder / FILE_NAME
    try:
        return Project(path.read_bytes().decode(), str(path))
    except OSError as error:
        raise TargetError(f"{path}: cannot be read: {error.strerror}; name a .xcodeproj") from error
    except UnicodeDecodeError as error:
        raise TargetError(f"{path}: is no text in UTF-8; open the project in Xcode and save it") from error


def _string(table: Dictionary, key: str) -> str:
    value = table.entries.get(key)
    return value.value if isinstance(value, Text) else ""


def _plain(value: Value) -> str | tuple[str, ...] | None:
    if isinstance(value, Text):
        return value.value
    return tuple(_plain_texts(value.items)) if isinstance(value, Array) else None


def _plain_texts(values: Sequence[Value]) -> list[str]:
    return [value.value for value in values if isinstance(value, Text)]


def _referred(table: Dictionary) -> Iterator[tuple[str, str]]:
    for key, value in table.entries.items():
        # A container may name the project itself, a proxy something of another project.
        if key in _REFERENCES and not isinstance(value, Dictionary):
            texts = [value.value] if isinstance(value, Text) else _plain_texts(value.items)
            yield from ((key, text) for text in texts)


def _in_order(rows: Mapping[str, str | tuple[str, ...]]) -> list[tuple[str, str | tuple[str, ...]]]:
    """As Xcode sorts keys: what it is first, then by name."""
    return sorted(rows.items(), key=lambda row: (row[0] != "isa", row[0]))


def _written(value: str | tuple[str, ...], remark: str = "") -> str:
    if isinstance(value, str):
        return quoted(value)
    return "(\n" + "".join(f"\t\t\t\t{quoted(item)}{remark},\n" for item in value) + "\t\t\t)"
