"""What a search tried, in a few words."""

from mobile_export.published.manifest import ArtifactEntry, TrialEntry


def called(name: str) -> str:
    """A check's name, for people."""
    return name.replace("_", " ").replace("sqnr", "SQNR")


def chosen(entry: ArtifactEntry, trial: TrialEntry) -> bool:
    """Whether it is the file that the search ended with."""
    return verdict(trial) == "passed" and trial.scheme == entry.scheme


def verdict(trial: TrialEntry) -> str:
    """What became of it; `probe` where it was none that could be chosen."""
    return "probe" if trial.probe else trial.verdict


def describe_scheme(trial: TrialEntry) -> str:
    """The precision of most layers, and how many have another."""
    scheme = trial.scheme
    parts = [scheme.precision]
    if scheme.layers:
        parts.append(f"{len(scheme.layers)} layer{'s' * (len(scheme.layers) != 1)} otherwise")
    chosen_by = {"ranges": scheme.ranges, "weights": scheme.weights}
    parts += [f"{what} by {how}" for what, how in chosen_by.items() if how != "minmax"]
    return ", ".join(parts if scheme.per_channel else [*parts, "per tensor"])
