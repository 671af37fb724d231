"""The example, end to end: train it if need be, then build both targets from it."""

import subprocess
import sys
from pathlib import Path

from mobile_export.errors import ConversionError, TargetError

TRAINING = Path("examples/digits/train.py")
MODEL = Path("examples/digits/model/model.ckpt.index")
TARGETS = (Path("targets/android.toml"), Path("targets/ios.toml"))


def train_if_needed(root: Path) -> bool:
    """Train the example model unless its checkpoint is there; whether it was trained.

    The training's output goes to stderr.

    Raises:
        TargetError: `root` is no clone of the project.
        ConversionError: the training failed.
    """
    missing = [path for path in (TRAINING, *TARGETS) if not (root / path).is_file()]
    if missing:
        raise TargetError(
            f"{root / missing[0]}: missing; run the demo in a clone of the project, or name it with --root"
        )
    if (root / MODEL).is_file():
        return False
    command = [sys.executable, str(TRAINING)]
    finished = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)  # noqa: S603
    if finished.returncode:
        raise ConversionError(f"{root / TRAINING}: ended with code {finished.returncode}; its output is above")
    return True
