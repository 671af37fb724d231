"""What costs nothing imports nothing: TensorFlow alone takes two seconds and half a gigabyte."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mobile_export import __version__

ROOT = Path(__file__).parent.parent
SCRIPT = """
import json, sys, time
from mobile_export.cli import main
code = 0
try:
    main()
except SystemExit as ended:
    code = ended.code
heavy = [
    "tensorflow", "tf2onnx", "onnx", "onnxruntime", "ai_edge_litert", "litert_quantizer", "flatbuffers", "h5py",
    "PIL", "distributed", "dask", "rapidfuzz", "tqdm",
]
found = {"code": code, "heavy": [name for name in heavy if name in sys.modules], "seconds": time.process_time()}
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
        ("run model.txt --data data.npz", 2, ""),
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


def test_help_is_quick() -> None:
    assert min(command("--help")[1]["seconds"] for _ in range(5)) < 0.4
