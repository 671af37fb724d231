from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.data import Wanted, read_samples, reader_of
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import TensorSpec
from mobile_export.target import DataSource
from tests.data.reading import peak_megabytes, read, spec

X = spec("x", shape=(-1, 2, 2))
N = spec("n", "int32", (-1,))
TABLE = """id,n,x[3],x[0],x[1],x[2],y
a,1,0.3,0,1e-1,-.2,7
"b
b", 2 ,1.3,1,1.1,1.2,8

c,3,2.3,2,2.1,2.2,9
"""


def table(folder: Path, text: str, name: str = "data.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    samples = read(table(tmp_path, TABLE), X, N, labels="y")
    assert (
        samples["x"].tolist()
        == np.float32([[[0, 0.1], [-0.2, 0.3]], [[1, 1.1], [1.2, 1.3]], [[2, 2.1], [2.2, 2.3]]]).tolist()
    )
    assert (samples["x"].dtype, samples["n"].dtype, samples["y"].dtype) == (np.float32, np.int32, np.int64)
    assert (samples["n"].tolist(), samples["y"].tolist()) == ([1, 2, 3], [7, 8, 9])


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_drawn_records_are_found_again(count: int, ending: str, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"\xef\xbb\xbf" + TABLE.replace("\n", ending).encode())
    for seed in range(5):
        samples = read(path, X, N, labels="y", samples=count, seed=seed)
        rows = np.sort(np.random.default_rng(seed).choice(3, count, replace=False))
        assert (samples["y"] - 7).tolist() == rows.tolist()
        assert (samples["n"] - 1).tolist() == rows.tolist()


def test_tabs(tmp_path: Path) -> None:
    path = table(tmp_path, "n\ty\n1\ta,b\n2\tc\n", "data.tsv")
    assert read(path, N, labels="y")["y"].tolist() == ["a,b", "c"]
    assert reader_of(DataSource(source=path)).files(DataSource(source=path)) == [path]


@pytest.mark.parametrize(
    ("given", "values", "expected"),
    [
        (spec("n", "bool", (-1,)), ["0", "TRUE", "false"], [False, True, False]),
        (spec("n", "uint8", (-1, 1)), ["0", "255", "7"], [[0], [255], [7]]),
        (spec("n", "float16", (1,)), ["0", "0.5", "-1"], [0, 0.5, -1]),
        (spec("n", "bfloat16", (-1,)), ["0", "0.5", "-1"], [0, 0.5, -1]),
        (spec("n", "float64", None), ["0", "0.1", "1e300"], [0, 0.1, 1e300]),
        (spec("n", "int64", ()), ["0", str(-(1 << 63)), "1"], [0, -(1 << 63), 1]),
    ],
)
def test_types(given: TensorSpec, values: list[str], expected: list[Any], tmp_path: Path) -> None:
    samples = read(table(tmp_path, "\n".join(["n", *values])), given)["n"]
    assert (samples.dtype.name, samples.tolist()) == (given.dtype, expected)


@pytest.mark.parametrize(
    ("shape", "columns", "sample"),
    [((-1, 4), 4, (4,)), ((-1, 2, -1), 4, (2, 2)), ((4,), 4, (4,)), ((1, 4), 4, (4,)), (None, 4, (4,)), ((-1,), 1, ())],
)
def test_shapes(shape: tuple[int, ...] | None, columns: int, sample: tuple[int, ...], tmp_path: Path) -> None:
    header = ",".join(f"x[{column}]" for column in range(columns))
    path = table(tmp_path, f"{header}\n{','.join('1' * columns)}\n")
    assert read(path, spec("x", shape=shape))["x"].shape == (1, *sample)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (["1", "-2", "30"], np.int64, [1, -2, 30]),
        (["1", "2.5", "1e3"], np.float64, [1, 2.5, 1000]),
        (["1", "two", "3.0"], "<U3", ["1", "two", "3.0"]),
        (["1", "007", "3"], "<U3", ["1", "007", "3"]),
        (["1", "nan", "3"], "<U3", ["1", "nan", "3"]),
        (["1", "1e999", "3"], "<U5", ["1", "1e999", "3"]),
        (["a", '""', "käse"], "<U4", ["a", "", "käse"]),
        (["dog", "cat", "dog"], np.int64, [1, 0, 1]),
        (["dog", "cat", "cow"], "<U3", ["dog", "cat", "cow"]),
    ],
)
@pytest.mark.parametrize("count", [None, 1])
def test_labels_have_one_type_whichever_are_drawn(
    values: list[str], dtype: Any, expected: list[Any], count: int | None, tmp_path: Path
) -> None:
    path = table(tmp_path, "n,y\n" + "".join(f"{n},{value}\n" for n, value in enumerate(values)))
    samples = read(path, N, labels="y", classes=("cat", "dog"), samples=count)
    assert samples["y"].dtype == dtype
    assert samples["y"].tolist() == [expected[n] for n in samples["n"]]


def test_labels_of_several_values(tmp_path: Path) -> None:
    samples = read(table(tmp_path, "y[1],n,y[0]\n1,0,2\n3,0,4.5\n"), N, labels="y")
    assert samples["y"].tolist() == [[2, 1], [4.5, 3]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; write the columns' names"),
        ("n,y\n", "holds no samples"),
        ("m,y\n1,2\n", r"has no column 'n', nor n\[0\], n\[1\], …; it has 'm', 'y'"),
        ("n,x\n1,2\n", "has no column 'y'"),
        ("n,n,y\n1,1,2\n", "has more than one column 'n'"),
        ("n,n[0],y\n1,1,2\n", r"has more than one column 'n', or n\[0\] beside it"),
        ("n[0],n[0],y\n1,1,2\n", r"has more than one column 'n\[0\]'"),
        ("n[1],y\n1,2\n", r"has no column n\[0\], and has n\[1\]; add it"),
        ("n[0],n[1],y\n1,1,2\n", r"has 2 columns of 'n'; input 'n' is int32\[\?\]"),
        ("n,y\n1,2\n3\n", "line 3: has 1 fields for 2 columns"),
        ("n,y\n1,2\n3,4,5\n", "line 3: has 3 fields for 2 columns"),
        ("n,y\n1,2\n\none,2\n", "line 4: 'n': invalid literal for int.*'one'"),
        ("n,y\n1,2\n1.0,2\n", "line 3: 'n': invalid literal"),
        ("n,y\n1,2\n,2\n", "line 3: 'n': invalid literal"),
        ("n,y\n3000000000,2\n", "line 2: 'n': int32 is -2147483648 to 2147483647"),
        ("n,y\n1,2\n1,\n", "line 3: has no label; add it, or leave the sample out"),
        ('n,y\n1,"2\n', "unexpected end of data"),
        ('n,y\n1,"2"3\n', "line 2: .* expected after"),
        (",".join(["n"] * 300_000) + "\n", "line 1 has 300000 fields; store that many values as .npz"),
        ("n,y\n" + "1" * 9_000_000, "line 2: more than 8388608 bytes in a record"),
        ("n,y\n" + '"\n",' * 3_000_000, "line .*: more than 8388608 bytes in a record"),
        ("n,y\n" + "1" * 200_000 + ",2", "line 2: field larger than field limit"),
    ],
)
def test_wrong_tables(text: str, said: str, tmp_path: Path) -> None:
    path = table(tmp_path, text)
    with pytest.raises(ModelError, match=said) as caught:
        read(path, N, labels="y")
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("given", "value", "said"),
    [
        (spec("n", "bool", (-1,)), "2", "line 2: 'n': '2' is none of 0, 1, false and true"),
        (spec("n", "string", (-1,)), "2", "input 'n' is string; only numbers can be fed"),
        (spec("n", "complex64", (-1,)), "2", "tables hold numbers"),
        (spec("n", "float32", (-1,)), "a", "line 2: 'n': could not convert string to float: 'a'"),
    ],
)
def test_values_that_are_none(given: TensorSpec, value: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=said):
        read(table(tmp_path, f"n\n{value}\n"), given)


def test_other_encodings(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"n,y\n1,k\xe4se\n")
    with pytest.raises(ModelError, match="line 2: not UTF-8 text"):
        read(tmp_path / "data.csv", N, labels="y")


def test_a_file_that_shrinks_meanwhile(tmp_path: Path) -> None:
    path = table(tmp_path, "n\n1\n2\n")
    _, batches = read_samples(DataSource(source=path), Wanted((N,)))
    path.write_text("n\n")
    with pytest.raises(ModelError, match=r"data\.csv: line 2: was changed while it was read"):
        list(batches)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    header = ",".join(f"x[{column}]" for column in range(1000))
    line = ",".join(["0.123456789012345"] * 1000) + "\n"
    with (tmp_path / "data.csv").open("w") as file:
        file.write(header + "\n")
        file.writelines([line] * 4000)  # 72 MB
    script = f"read({str(tmp_path / 'data.csv')!r}, spec('x', shape=(-1, 1000)), samples=50)"
    assert peak_megabytes(script) < 20
