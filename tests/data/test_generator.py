import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mobile_export.data import content_hash, reader_of
from mobile_export.errors import ModelError
from mobile_export.target import UserCode
from tests.data.reading import read, source_of, spec

X = spec("x", shape=(-1, 2))


@pytest.fixture
def written(tmp_path: Path, monkeypatch, request) -> Iterator:
    """Writes a module; forgets it afterwards."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names = []

    def write(body: str, head: str = "import numpy as np") -> UserCode:
        name = f"generated_{abs(hash(request.node.name))}_{len(names)}"
        names.append(name)
        (tmp_path / f"{name}.py").write_text(f"{head}\ndef samples():\n    {body}\n")
        return UserCode(tmp_path, name, "samples")

    yield write
    for name in names:
        sys.modules.pop(name, None)


COUNTED = "for i in range(100): yield {'x': np.full(2, i, np.float32), 'y': i, 'more': object()}"


@pytest.mark.parametrize("count", [None, 1, 70])
def test_samples_are_drawn(count: int | None, written) -> None:
    samples = read(written(COUNTED), X, labels="y", samples=count)
    rows = np.arange(100) if count is None else np.sort(np.random.default_rng(0).choice(100, count, replace=False))
    assert samples["y"].tolist() == rows.tolist()
    np.testing.assert_array_equal(samples["x"][:, 0], rows)


def test_texts_are_as_wide_as_the_longest(written) -> None:
    code = written("for y in ('a', b'b', 'word'): yield {'x': [0, 1], 'y': y}")
    samples = read(code, X, labels="y")
    assert (samples["y"].dtype, samples["y"].tolist()) == ("<U4", ["a", "b", "word"])
    assert read(code, X, labels="y", samples=1)["y"].dtype == "<U4"


def test_plain_numbers_become_the_inputs_type(written) -> None:
    code = written("yield {'x': [0, 1], 'n': 3}\n    yield {'x': (0.5, 1), 'n': True}")
    samples = read(code, X, spec("n", "uint8", (-1,)))
    assert (samples["x"].dtype, samples["n"].dtype, samples["n"].tolist()) == (np.float32, np.uint8, [3, 1])


def test_an_array_that_is_filled_again_and_again(written) -> None:
    body = "x = np.zeros(2, np.float32)\n    for i in range(9):\n        x[:] = i\n        yield {'x': x}"
    assert read(written(body), X)["x"][:, 0].tolist() == list(range(9))


def test_a_list_is_as_good(written) -> None:
    assert len(read(written("return [{'x': [0, 1]}] * 3"), X)["x"]) == 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "yield {'x': [0, 1]}\n    yield {'x': [0, 1, 2]}",
            r"sample 1: 'x' is float32\[3\], and that of the first .*\[2\]",
        ),
        ("yield {'x': np.zeros(2, 'f4')}\n    yield {'x': np.zeros(2)}", r"sample 1: 'x' is float64\[2\], and that of"),
        ("yield {'y': [0, 1]}", "sample 0: has no 'x'; it has 'y'"),
        ("yield [0, 1]", "sample 0: is list; yield a dict of arrays by name"),
        ("yield {'x': [[0], [1, 2]]}", "sample 0: 'x': is no array"),
        ("yield {'x': object()}", r"sample 0: 'x': is object\[\], not numbers or text"),
        ("yield {'x': None}", r"sample 0: 'x': is object\[\], not numbers or text"),
        ("yield {'x': []}", r"sample 0: 'x': is float32\[0\], not numbers or text"),
        ("yield {'x': b'\\xff'}", "sample 0: 'x': is no array"),
        ("yield {'x': [0, 1]}\n    raise KeyError('gone')", "raised KeyError: 'gone'"),
        ("return 3", "raised TypeError: 'int' object is not iterable"),
        ("raise SystemExit(3)", "raised SystemExit: 3"),
        ("yield from ()", "holds no samples; add some"),
    ],
)
def test_wrong_generators(body: str, said: str, written) -> None:
    code = written(body)
    with pytest.raises(ModelError, match=said) as caught:
        read(code, X)
    assert str(caught.value).startswith(f"{code.module}:samples: ")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "for i in range(3): yield {'x': np.random.random(2)}",
            "sample 0: is another one when it is given again; seed",
        ),
        (
            "CALLS.append(0)\n    yield from [{'x': [0, 1]}] * (4 - len(CALLS))",
            "gave 3 samples, and 2 when called again",
        ),
        ("CALLS.append(0)\n    yield from [{'x': [0, 1]}] * len(CALLS)", "sample 1: is another one when it is given"),
        (
            "CALLS.append(0)\n    yield from [{'x': [0, 1]}] * 2\n    yield {'x': [len(CALLS), 1]}",
            "sample 2: is another",
        ),
    ],
)
def test_a_generator_that_gives_something_else_the_second_time(body: str, said: str, written) -> None:
    """Also beyond the last sample that is drawn."""
    head = "import numpy as np\nCALLS = []"
    with pytest.raises(ModelError, match=said):
        read(written(body, head), spec("x", "float64"), samples=1)


def test_what_is_no_function(written, tmp_path: Path) -> None:
    code = written("", "three = 3")
    (tmp_path / f"{code.module}.py").write_text("three = 3\n")
    for name, said in {"three": "is no function", "four": "has no 'four'"}.items():
        with pytest.raises(ModelError, match=said):
            read(UserCode(tmp_path, code.module, name), X)
    with pytest.raises(ModelError, match="'not_there' cannot be imported"):
        read(UserCode(tmp_path, "not_there", "samples"), X)


def test_its_files_are_what_it_imports(written, tmp_path: Path) -> None:
    helper = tmp_path / "helping_generators.py"
    helper.write_text("")
    code = written(COUNTED, "import numpy as np\nimport helping_generators")
    source = source_of(code)
    assert reader_of(source).files(source) == sorted([tmp_path / f"{code.module}.py", helper])
    before = content_hash(source)
    helper.write_text("changed = True")
    assert content_hash(source) != before
