import pytest

from mobile_export.compare.cells import footnotes, is_busy, reference_line
from tests.compare.samples import candidate, check, comparison, timing

CALM = candidate("calm", timings=(timing(1e-3), timing(1.9e-3, threads=2)))
WAVERS = candidate("wavers", timings=(timing(1e-3, p90=3.1e-3), timing(1e-3, threads=2)))
SLOWED = candidate("slowed", timings=(timing(1e-3), timing(2.1e-3, threads=2)))


@pytest.mark.parametrize(
    ("candidates", "busy"),
    [
        ((CALM,), False),
        ((WAVERS,), True),
        ((SLOWED,), True),
        ((WAVERS, SLOWED, CALM, CALM, CALM, CALM), True),
        ((WAVERS, CALM, CALM, CALM), False),  # a file may be like that
        ((candidate("untimed"),), False),
    ],
)
def test_a_busy_computer_is_told_by_many_files(candidates, busy: bool) -> None:
    found = comparison(*candidates)
    assert is_busy(found) == busy
    assert any("this computer was busy" in note for note in footnotes(found)) == busy


def test_how_often_it_was_measured_is_said() -> None:
    notes = footnotes(comparison(candidate("a", micros=20), candidate("b", timings=(timing(1e-3),))))
    assert (
        "a latency is the median of 100 answers; first answer and memory are the median of 3 fresh processes" in notes
    )
    assert not any("median" in note for note in footnotes(comparison(candidate("a"))))


def test_the_reference_has_its_interval() -> None:
    score = check("accuracy", 0.99, half=0.005, unit="share")
    assert (
        reference_line(comparison(reference=score)) == "the model itself: 99.00 % [98.50, 99.50] top1 on 2,000 samples"
    )
