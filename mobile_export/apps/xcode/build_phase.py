"""A run-script phase with its lists of files, for a target of an Xcode project."""

import os
import shlex
from pathlib import Path

from mobile_export.apps.xcode.file_change import FileChange, file_changes
from mobile_export.apps.xcode.file_lists import in_root, inputs_list, outputs_list, relative
from mobile_export.apps.xcode.phase_source import PhaseSource, Taken
from mobile_export.apps.xcode.project import FILE_NAME, Project, ScriptPhase
from mobile_export.apps.xcode.script import FOLDER, script_path, script_text
from mobile_export.errors import TargetError


def project_changes(
    folder: Path, project: Project, app: str | None, source: PhaseSource, taken: Taken
) -> list[FileChange]:
    """Every file that the project in `folder`, a .xcodeproj, needs so that its target `app` has these models.

    Raises:
        TargetError: the project has no such target, the target is an app and would get golden vectors, or lists cannot
            hold a path.
    """
    target = project.target(app)
    if taken.golden and target.is_app:
        raise TargetError(
            f"{folder}: {target.name!r} is an app, and golden vectors are for a target of tests; see --app"
        )
    root = Path(os.path.normpath(folder.parent / project.folder))
    name = "".join(each if each.isprintable() and each not in "/\\:$" else "_" for each in target.name)
    inputs, outputs = (root / FOLDER / f"{name}-{source.target}-{side}.xcfilelist" for side in ("inputs", "outputs"))
    script = script_path(root)
    return file_changes(
        {
            script: script_text(),
            inputs: inputs_list(script, source, root),
            outputs: outputs_list(source, taken, root),
            folder / FILE_NAME: project.with_phase(target, _phase(source, root, script, inputs, outputs)).text,
        }
    )


def _phase(source: PhaseSource, root: Path, script: Path, inputs: Path, outputs: Path) -> ScriptPhase:
    places = [f'"$SRCROOT"/{shlex.quote(relative(path, root))}' for path in (script, source.file)]
    command = f"exec /bin/sh {places[0]} {source.mode} {source.target} {places[1]}\n"
    name = f"Models of {source.target} (mobile-export)"
    return ScriptPhase(source.target, name, command, in_root(inputs, root), in_root(outputs, root))
