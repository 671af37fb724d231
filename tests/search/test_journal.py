"""What a killed search leaves is read by the next one, whatever state it is in."""

import math
import os
import time
from pathlib import Path

import pytest

from mobile_export.errors import OutputError
from mobile_export.quantize.scheme import Scheme
from mobile_export.search.journal import KEPT_SECONDS, Journal, open_journal
from mobile_export.search.trail import Outcome, Reading

MIXED = Scheme.mixed("int8", {"conv/1": "float16", "é": "int16x8"}, per_channel=False, ranges="entropy", weights="mse")
OUTCOME = Outcome(
    "missed",
    123,
    (Reading("parity", "sqnr", -math.inf, 10.0, True, False), Reading("accuracy", "accuracy", 0.5, None, True, True)),
    "said \n more",
)


def test_what_was_added_is_known_here_and_in_the_next_run(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.add("candidate", MIXED, OUTCOME)
    for one in (journal, Journal(tmp_path / "j")):
        assert one.get("candidate", MIXED) == OUTCOME
        assert one.get("probe", MIXED) is None
        assert one.get("candidate", Scheme("int8")) is None


def test_a_nan_is_kept(tmp_path: Path) -> None:
    Journal(tmp_path / "j").add("time", MIXED, Outcome("missed", 1, (Reading("a", "b", math.nan, None, True, False),)))
    found = Journal(tmp_path / "j").get("time", MIXED)
    assert found is not None
    assert math.isnan(found.readings[0].value)


def test_the_last_word_counts(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.add("candidate", MIXED, Outcome("larger", 123))
    journal.add("candidate", MIXED, OUTCOME)
    assert Journal(tmp_path / "j").get("candidate", MIXED) == OUTCOME


@pytest.mark.parametrize(
    "damage",
    [
        b'{"kind": "candidate", "sch',  # killed in the middle
        b"\xff\xfe\x00",
        b"null\n[]\n{}\n",
        b'{"kind": "other", "scheme": {"precision": "int8"}, "outcome": {"verdict": "passed"}}',
        b'{"kind": "candidate", "scheme": {"precision": "int8"}, "outcome": {"verdict": "passed", "size": "many"}}',
        b'{"kind": "candidate", "scheme": {"precision": "int8"}, "outcome": {"verdict": "splendid"}}',
        b"[" * 100_000,
    ],
)
def test_damaged_lines_are_not_there(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "j"
    Journal(path).add("candidate", MIXED, OUTCOME)
    path.write_bytes(path.read_bytes() + damage)
    journal = Journal(path)
    assert journal.get("candidate", Scheme("int8")) is None
    journal.add("probe", Scheme("int8"), OUTCOME)
    again = Journal(path)
    assert (again.get("candidate", MIXED), again.get("probe", Scheme("int8"))) == (OUTCOME, OUTCOME)


def test_journals_that_were_left_alone_for_long_are_deleted(tmp_path: Path) -> None:
    for name in ("old", "new"):
        open_journal(tmp_path, name).add("probe", MIXED, OUTCOME)
    (tmp_path / "other").write_text("not ours")
    long_ago = time.time() - KEPT_SECONDS - 60
    for name in ("old.jsonl", "other"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    assert open_journal(tmp_path, "new").get("probe", MIXED) == OUTCOME
    assert {path.name for path in tmp_path.iterdir()} == {"new.jsonl", "other"}
    assert open_journal(tmp_path, "old").get("probe", MIXED) is None


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be read"):
        Journal(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"missing/j: cannot be written \(No such file or directory\)"):
        Journal(tmp_path / "missing" / "j").add("probe", MIXED, OUTCOME)
