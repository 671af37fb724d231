"""Scores of the reference on the same samples, read in other ways."""

import numpy as np

from mobile_export.data_checks.evidence import ModelInput
from mobile_export.data_checks.retrials import retrials
from mobile_export.metrics import METRICS, Metric
from mobile_export.runner import run_samples
from mobile_export.session import Session
from mobile_export.target import Preprocessing
from tests.data_checks.evidence import colour_judge, pictures, sample_set

IMAGE = ModelInput("image", "float32", "model.inputs[0].preprocessing", Preprocessing())


def tried(metric: Metric, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The readings that may be better, and how sure that is."""
    with Session(colour_judge()) as session:
        answers = run_samples(session, {"image": images})["scores"]
        data = sample_set("evaluation", {"image": images}, labels, answers)
        return {
            found.reading.words: found.certainty for found in retrials(session, metric, "scores", [IMAGE], data, [])
        }


def test_samples_that_are_sorted_by_class() -> None:
    """Nothing is known of an AUC before the first sample of the other kind."""
    images = pictures(200)
    brightest = images.mean((1, 2)).argmax(axis=1)
    order = np.argsort(brightest, kind="stable")
    found = tried(METRICS["auc"](positive=0), images[order, ..., ::-1], brightest[order])
    assert found["reversing its channels"] > 0.9995
    assert "× 255" not in found or found["× 255"] < 0.9995


def test_one_or_two_samples_prove_nothing() -> None:
    images = pictures(2)
    labels = 2 - images.mean((1, 2)).argmax(axis=1)
    for count in (1, 2):
        assert all(sure < 0.99 for sure in tried(METRICS["top1"](), images[:count], labels[:count]).values())
