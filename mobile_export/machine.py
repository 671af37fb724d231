"""What this computer has, and how much of it a process takes.

Workers that run side by side share the cores: each takes its part, once, when it starts. LiteRT and ONNX Runtime answer
the same bits in any number of threads. TensorFlow does not, so its sessions have one (see `session`).
"""

import os

_taken: int | None = None


def cores() -> int:
    """Those that this process may use."""
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def memory() -> int | None:
    """Bytes that this computer has; None where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no such call, others not these names
        return None


def threads() -> int:
    """In how many threads a runtime computes in this process: all cores, or what `take` has said."""
    return _taken or cores()


def take(count: int) -> None:
    """From now on, runtimes of this process compute in `count` threads."""
    global _taken
    _taken = count
