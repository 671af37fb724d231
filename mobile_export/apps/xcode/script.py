"""The script that builds run, and what else is written into an app as it stands here."""

from importlib import resources
from pathlib import Path

FOLDER = "mobile-export"
"""Beside the project, or in the package."""


def script_path(root: Path) -> Path:
    """Where the script lies in a project's or package's folder."""
    return root / FOLDER / "mobile-export.sh"


def script_text() -> str:
    """The script that builds run."""
    return template("mobile-export.sh")


def template(name: str) -> str:
    """A file that is written into apps."""
    return (resources.files("mobile_export.apps") / "templates" / "xcode" / name).read_text("utf-8")
