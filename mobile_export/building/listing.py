"""Lists of files for other build systems, without a build; and the records from which they are answered again."""

import time
from collections.abc import Sequence
from pathlib import Path

from mobile_export.building.depfile import shown
from mobile_export.building.outputs import outputs_of
from mobile_export.building.record import look_at_inputs, look_at_tools
from mobile_export.errors import ExportError
from mobile_export.incremental.unchanged import FILE, PLACE, Seen, look, remember
from mobile_export.planning.plan import load_targets
from mobile_export.planning.reads import reads_of


def list_files(paths: Sequence[Path], out: Path | None) -> list[Path]:
    """What builds of the targets at `paths` publish in `out`; without it, what they read.

    Raises:
        TargetError: a target file is wrong.
        ModelError: the model or a data file is missing.
    """
    targets = load_targets(paths)
    if out is None:
        return shown([file for path, target in targets for file in reads_of(path, target).files])
    return shown([file for _, target in targets for file in outputs_of(target, out.absolute())])


def record_list(arguments: Sequence[str], paths: Sequence[Path], out: Path | None, listed: Sequence[Path]) -> bool:
    """Remember that the command lists these files; whether that can be told.

    What the list depends on is looked at first. Then it is made once more, and must be what was printed.
    """
    begun = time.time_ns()
    seen: list[Seen] = []
    try:
        for path, target in load_targets(paths):
            if out is None:
                seen += look_at_inputs(path, target)
                continue
            kernels = [artifact.kernels for artifact in target.artifacts if artifact.kernels]
            seen += [look(PLACE, str(each.absolute())) for each in (path, out)]
            seen += [look(FILE, str(each.absolute())) for each in (path, *kernels)]
        seen += look_at_tools()
        if list_files(paths, out) != listed:
            return False
    except (ExportError, OSError):
        return False  # something is being changed, or cannot be looked at
    return remember(arguments, begun, [("out", str(path)) for path in listed], list(dict.fromkeys(seen)))
