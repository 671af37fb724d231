import pytest
from flatbuffers import number_types
from flatbuffers.table import Table

from mobile_export.formats.flat_tables import kind, serialize

PERSON = kind("name", "unused", "mood", "scores", "friends", "best")
ANN = PERSON(name="Ann", mood=3, scores=(0.5, -2.0), friends=[PERSON(name="Bö"), PERSON()], best=PERSON(mood=1))


def field(table: Table, place: int) -> int:
    """Where a field's value is, 0 where it is left out; found as generated code does it."""
    return table.Offset(4 + 2 * place)


def root(content: bytes) -> Table:
    return Table(content, int.from_bytes(content[:4], "little"))


def test_every_kind_of_value_comes_back() -> None:
    content = serialize(ANN, b"TEST")
    assert content[4:8] == b"TEST"
    ann = root(content)
    assert ann.String(ann.Pos + field(ann, 0)) == b"Ann"
    assert field(ann, 1) == 0
    assert ann.Get(number_types.Uint8Flags, ann.Pos + field(ann, 2)) == 3
    assert ann.VectorLen(field(ann, 3)) == 2
    scores = ann.Vector(field(ann, 3))
    assert [ann.Get(number_types.Float32Flags, scores + 4 * i) for i in range(2)] == [0.5, -2.0]
    assert ann.VectorLen(field(ann, 4)) == 2
    friend = Table(content, ann.Indirect(ann.Vector(field(ann, 4))))
    assert friend.String(friend.Pos + field(friend, 0)) == "Bö".encode()
    best = Table(content, ann.Indirect(ann.Pos + field(ann, 5)))
    assert best.Get(number_types.Uint8Flags, best.Pos + field(best, 2)) == 1


def test_empty_values_are_left_out_and_tables_without_any_are_not() -> None:
    table = root(serialize(PERSON(name="", scores=(), friends=[], best=PERSON()), b"TEST"))
    assert [bool(field(table, place)) for place in range(6)] == [False] * 5 + [True]


def test_equal_tables_give_equal_bytes() -> None:
    assert serialize(ANN, b"TEST") == serialize(ANN, b"TEST")
    assert serialize(ANN, b"TEST") != serialize(PERSON(name="Ann"), b"TEST")


def test_a_field_that_its_kind_lacks_is_a_bug() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        serialize(PERSON(nmae="Ann"), b"TEST")
