"""How long files take to answer, side by side, and what loading them costs."""

from mobile_export.timing.footprint import footprint, footprints
from mobile_export.timing.result import File, Footprint, Loads, Timing, Turns
from mobile_export.timing.turns import answer_once, latency_ratio, time_by_turns

__all__ = [
    "File",
    "Footprint",
    "Loads",
    "Timing",
    "Turns",
    "answer_once",
    "footprint",
    "footprints",
    "latency_ratio",
    "time_by_turns",
]
