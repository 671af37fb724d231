"""How long files take to answer, side by side, and what loading them costs."""

from mobile_export.timing.footprint import footprint
from mobile_export.timing.result import File, Footprint, Timing, Turns
from mobile_export.timing.turns import latency_ratio, time_by_turns

__all__ = ["File", "Footprint", "Timing", "Turns", "footprint", "latency_ratio", "time_by_turns"]
