"""What lies where in a build's work folder; the samples lie where `sampling` puts them."""

from mobile_export.sampling import EVALUATION, PARITY

REFERENCE, OPTIMIZED = "reference.graph", "optimized.graph"
"""The forward graph that everything is compared with, and the one that files are made of."""
ANSWERS = "parity_answers.npz"
"""What the reference answers to the samples on which answers are compared."""
SCORED = "reference_score.npz"
"""What the metric keeps of the reference's answers to the evaluation samples, and the blind score."""

MEASURED_WITH = (PARITY, ANSWERS, SCORED, EVALUATION)
"""What `measure` reads, besides the file."""
