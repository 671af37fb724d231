"""What a build of a target reads: for records of builds, for Make, and for the file lists of Xcode."""

import os
from dataclasses import dataclass
from pathlib import Path

from mobile_export.data import reader_of
from mobile_export.planning.keys import named_files
from mobile_export.sources import source_of
from mobile_export.target import Target
from mobile_export.user_code import imports_of


@dataclass(frozen=True)
class Reads:
    """What the outcome depends on, besides this package and others; all paths are absolute, and sorted.

    Attributes:
        files: whose bytes count.
        folders: whose names count: another file there may change what the model or the data is.
        gaps: where nothing is, and a file would count.
    """

    files: tuple[Path, ...]
    folders: tuple[Path, ...]
    gaps: tuple[Path, ...]


def reads_of(path: Path, target: Target) -> Reads:
    """What a build of the target at `path` reads.

    Raises:
        ModelError: the model or a data file is missing.
    """
    model = source_of(target.model)[1].files(target.model)
    data = [each for each in (target.data.calibration, target.data.evaluation) if each is not None]
    metric = target.data.evaluation.metric.code if target.data.evaluation else None
    code = [imports_of(c) for c in (target.model.builder, target.model.custom_objects, metric) if c is not None]
    named = [target.model.source, target.model.checkpoint, *target.transforms.passes.files.values()]
    checkpoints = [each for each in named if each is not None]
    states = [folder / "checkpoint" for folder in checkpoints]  # says which of several checkpoints is meant
    files = [
        path,
        *model,
        *(state for state in states if state.is_file()),
        *(file for source in data for file in reader_of(source).files(source)),
        *(file for each in code for file in each.files.values()),
        *named_files(target).values(),
    ]
    trees = [each.source for each in data if isinstance(each.source, Path) and each.source.is_dir()]
    folders = [
        *(each.parent for each in (*checkpoints, *model)),
        *(each for each in checkpoints if each.is_dir()),
        *(Path(folder) for tree in trees for folder, _, _ in os.walk(tree)),
    ]
    gaps = [gap for each in code for gap in each.gaps]
    return Reads(*(tuple(sorted({each.absolute() for each in found})) for found in (files, folders, gaps)))
