"""What the command line prints: names of others do nothing to a terminal."""

import io
import json
import sys
from pathlib import Path

import pytest

from mobile_export import cli
from mobile_export.cli.app import complain, console, remark, say, visible, warn
from tests.published_folder import published

HOSTILE = "a\x1b]0;pwn\x07\x9b31m\u202eb\udcffc"
SHOWN = r"a\x1b]0;pwn\x07\x9b31m\u202eb\udcffc"


def test_only_what_can_be_seen_is_printed() -> None:
    assert visible(HOSTILE) == SHOWN
    assert visible("zwölf 東京 →\n\tok") == "zwölf 東京 →\n\tok"
    assert visible("a\rb\x85c\u2028d") == r"a\rb\x85c\u2028d"


def test_every_way_of_printing(capsys) -> None:
    for way in (say, warn, complain, remark):
        way(HOSTILE)
    printed = capsys.readouterr()
    assert printed.out == f"{SHOWN}\n"
    assert printed.err == f"warning: {SHOWN}\nerror: {SHOWN}\n{SHOWN}\n"


def test_tables_and_notes(monkeypatch) -> None:
    from rich.table import Table
    from rich.text import Text

    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    table = Table("plain", "styled")
    table.add_row("\x1b[2Jx", Text("\x1b[2Jy", "red"))
    screen = console()
    screen.print(table)
    screen.print("\x1b[2Jz")
    assert "\x1b" not in written.getvalue()
    assert r"\x1b[2Jz" in written.getvalue()


def test_a_manifest_of_somebody(tmp_path: Path, monkeypatch, capsys) -> None:
    folder = published(tmp_path)
    manifest = folder / "manifest.json"
    changed = json.loads(manifest.read_text()) | {"target": "ios\x1b[31m"}
    manifest.write_text(json.dumps(changed))
    for command in (["diff", str(folder), str(folder)], ["verify", str(folder)]):
        monkeypatch.setattr(sys, "argv", ["mobile-export", *command])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        assert ended.value.code == 3
        assert "\x1b" not in printed.out + printed.err
        assert "manifest.json: not a manifest" in printed.err
