import numpy as np
import pytest

from mobile_export.data_checks.relation import Relation, label_shift
from mobile_export.metrics import METRICS
from tests.data_checks.evidence import one_hot

TOP1 = METRICS["top1"]()
CLASSES = np.arange(100) % 10


def test_of_a_perfect_model() -> None:
    relation = Relation.of(TOP1, one_hot(CLASSES), CLASSES)
    assert (relation.score, relation.is_there, relation.is_telling, relation.share) == (1, True, True, 1)
    assert relation.mean == pytest.approx(0.1, abs=0.05)


def test_of_answers_to_something_else() -> None:
    relation = Relation.of(TOP1, one_hot(CLASSES), np.random.default_rng(0).permutation(CLASSES))
    assert not relation.is_there
    assert relation.is_telling
    assert abs(relation.share) < 0.1


def test_of_an_error() -> None:
    values = np.random.default_rng(0).random((50, 2)).astype(np.float32)
    relation = Relation.of(METRICS["mse"](), values, values)
    assert relation.is_there
    assert relation.better == pytest.approx(relation.mean)


def test_it_is_the_same_every_time() -> None:
    assert Relation.of(TOP1, one_hot(CLASSES), CLASSES) == Relation.of(TOP1, one_hot(CLASSES), CLASSES)


def test_shifts() -> None:
    assert label_shift(TOP1, one_hot(CLASSES), CLASSES) is None
    assert label_shift(TOP1, one_hot(CLASSES, 11), CLASSES + 1) == -1
    assert label_shift(TOP1, one_hot(CLASSES + 1, 11), CLASSES) == 1


def test_labels_that_are_no_classes_do_not_shift() -> None:
    assert label_shift(TOP1, one_hot(CLASSES), CLASSES.astype(np.float32)) is None
    assert label_shift(TOP1, one_hot(CLASSES), CLASSES + 5) is None
