"""What costs nothing imports nothing: TensorFlow alone takes two seconds and half a gigabyte."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mobile_export import __version__
from tests.published_folder import APP, published

ROOT = Path(__file__).parent.parent
SCRIPT = """
import json, os, sys, time
heavy = [
    "tensorflow", "tf2onnx", "onnx", "onnxruntime", "ai_edge_litert", "litert_quantizer", "flatbuffers", "h5py",
    "PIL", "distributed", "dask", "rapidfuzz", "tqdm",
]
if "CORE_INSTALL" in os.environ:
    sys.modules.update(dict.fromkeys([*heavy, "google.protobuf", "ml_dtypes"]))  # none can be imported, then
from mobile_export.cli import main
code = 0
try:
    main()
except SystemExit as ended:
    code = ended.code
found = {"code": code, "heavy": [name for name in heavy if sys.modules.get(name)], "seconds": time.process_time()}
print("\\n" + json.dumps(found), file=sys.stderr)
"""


def command(*arguments: str) -> tuple[str, dict]:
    """What a command prints, and its exit code, the heavy packages that it imported, and the CPU time that it took."""
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, json.loads(ended.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    ("arguments", "code", "printed"),
    [
        ("--help", 0, "Usage: "),
        ("build --help", 0, "Usage: "),
        ("--version", 0, f"mobile-export {__version__}\n"),
        ("schema", 0, '{\n  "$defs": {'),
        ("build no-such-target.toml", 2, ""),
        ("build pyproject.toml", 2, ""),  # no target: every key unknown
        ("verify tests", 3, ""),
        ("verify --lock no-such.lock", 2, ""),
        ("lock tests", 3, ""),
        ("fetch --lock no-such.lock", 2, ""),
        ("diff README.md README.md", 3, ""),
        ("cache", 0, "/"),
        ("cache prune --cache tests", 2, ""),
        ("gradle", 0, "// "),
        ("xcode no-such.xcodeproj", 2, ""),
        ("pack tests --to no-such", 3, ""),
        ("doctor", 0, f"mobile-export {__version__}+"),
        ("run model.txt --data data.npz", 2, ""),
        ("lint model.tflite", 2, ""),
        ("freeze-graph --help", 0, "Turn the variables of a graph into constants"),
        ("freeze-graph --input_graph README.md", 2, ""),
    ],
)
def test_imports_nothing_heavy(arguments: str, code: int, printed: str) -> None:
    stdout, found = command(*arguments.split())
    assert (found["code"] or 0, found["heavy"]) == (code, [])
    assert stdout.startswith(printed)
    assert bool(stdout) == bool(printed)


def test_the_schema_is_json_that_names_the_formats() -> None:
    schema = json.loads(command("schema")[0])
    assert {"tflite", "onnx"} <= set(schema["$defs"]["Artifact"]["properties"]["format"]["enum"])


def test_doctor_tells_all_that_another_build_system_has_to_know() -> None:
    """So that one start of Python answers it: which code, of which version, on which Python, with which packages."""
    found = json.loads(command("doctor", "--format", "json")[0])
    assert found["version"].startswith(f"{__version__}+")
    assert {"python", "system", "machine"} == set(found["system"])
    assert {"tensorflow", "pydantic"} <= {package["name"] for package in found["packages"]}


def test_locked_builds_need_nothing_heavy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the core install, where none of it can be imported."""
    monkeypatch.setenv("CORE_INSTALL", "1")
    for version in ("old", "new"):
        published(tmp_path / version, files={"digits": version.encode()}, app=APP)
    lock, old, new = tmp_path / "app.lock", tmp_path / "old/android", tmp_path / "new/android"
    for line in (
        f"lock {old} --lock {lock} --copy-to {tmp_path / 'models'}",
        f"fetch --lock {lock} --out {tmp_path / 'locked'}",
        f"verify {tmp_path / 'locked'} --lock {lock}",
        f"diff {tmp_path / 'models/android'} {new}",
    ):
        stdout, found = command(*line.split())
        assert (found["code"] or 0, bool(stdout)) == (0, True), line


def test_help_is_quick() -> None:
    assert min(command("--help")[1]["seconds"] for _ in range(5)) < 0.4
