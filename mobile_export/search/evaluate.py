"""Evaluating rounds of a search: side by side on a crew, what is known already from the journal, times one by one."""

import concurrent.futures
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mobile_export import workers
from mobile_export.errors import ConversionError, MissingToolError
from mobile_export.executors import Crew
from mobile_export.quantize.scheme import Scheme
from mobile_export.search.bench import Job, time_file, try_file
from mobile_export.search.journal import Journal
from mobile_export.search.trail import Outcome, Proposal

Futures = dict["concurrent.futures.Future[Outcome]", Proposal]


@dataclass(frozen=True)
class Evaluator:
    """Tries the files of one search; see `rounds.Evaluate`.

    Attributes:
        folder: the build's work folder.
        place: the same for the crew.
        objection: what speaks against a scheme that need not be tried; empty where nothing does.
    """

    crew: Crew
    job: Job
    folder: Path
    place: Any
    journal: Journal
    watcher: workers.Watcher | None = None
    objection: Callable[[Scheme], str] = field(default=lambda _: "")

    def __call__(self, proposals: Sequence[Proposal], bound: int | None, deadline: float) -> list[Outcome | None]:
        began = time.monotonic()
        name = f"{self.job.target.name}: search {self.job.artifact.name}, {proposals[0].why}"
        if self.watcher is not None:
            self.watcher.busy([name])
        outcomes = self._tried(proposals, bound, deadline)
        if self.job.artifact.limits.latency_ratio is not None:
            outcomes |= self._timed(outcomes, bound)
        if self.watcher is not None:
            self.watcher.done(name, time.monotonic() - began)
        return [outcomes.get(proposal) for proposal in proposals]

    def _tried(self, proposals: Sequence[Proposal], bound: int | None, deadline: float) -> dict[Proposal, Outcome]:
        """What came of all that were begun in time, whatever their latency is."""
        known = {proposal: self._known(proposal, bound) for proposal in proposals}
        outcomes = {proposal: outcome for proposal, outcome in known.items() if outcome is not None}
        running: Futures = {}
        if time.monotonic() < deadline:
            for proposal in proposals:
                if proposal not in outcomes:
                    arguments = (self.place, self.job, proposal.scheme, proposal.kind, bound)
                    running[self.crew.executor.submit(try_file, *arguments)] = proposal
        while running:
            left = deadline - time.monotonic()
            done, _ = concurrent.futures.wait(
                running, left if left > 0 else workers.TIMEOUT, concurrent.futures.FIRST_COMPLETED
            )
            for future in done:
                proposal = running.pop(future)
                outcomes[proposal] = self._outcome(future)
                self.journal.add(proposal.kind, proposal.scheme, outcomes[proposal])
            if time.monotonic() >= deadline:
                running = {future: proposal for future, proposal in running.items() if not future.cancel()}
                if not done and left <= 0:
                    raise ConversionError(f"a file of the search was stopped after {workers.TIMEOUT:.0f} s")
        return outcomes

    def _known(self, proposal: Proposal, bound: int | None) -> Outcome | None:
        objection = self.objection(proposal.scheme) if proposal.kind == "candidate" else ""
        known = Outcome("refused", note=objection) if objection else self.journal.get(proposal.kind, proposal.scheme)
        if known is not None and known.verdict == "larger" and (bound is None or (known.size or 0) < bound):
            return None  # it was larger than what passed then
        return known

    def _outcome(self, future: "concurrent.futures.Future[Outcome]") -> Outcome:
        try:
            return future.result()
        except self.crew.deaths as error:
            return Outcome("refused", note=str(error) or type(error).__name__)
        except (concurrent.futures.CancelledError, OSError) as error:  # of workers here, errors are ours
            raise MissingToolError(
                f"--executor: the cluster is gone, or fails ({error or 'no answer'}); build again to go on"
            ) from error

    def _timed(self, outcomes: dict[Proposal, Outcome], bound: int | None) -> dict[Proposal, Outcome]:
        """Candidates with their latency, where it decides: they hold all other limits, or might be made to.

        The smallest come first: one that is larger than one that passes is not timed.
        """
        timed: dict[Proposal, Outcome] = {}
        for proposal, outcome in sorted(outcomes.items(), key=lambda item: (item[1].size or 0, repr(item[0].scheme))):
            if proposal.kind != "candidate" or not (
                outcome.verdict == "passed" or (outcome.repairable and proposal.why == "uniform")
            ):
                continue
            if bound is not None and (outcome.size or 0) >= bound:
                timed[proposal] = replace(outcome, verdict="larger")
                continue
            latency = self._latency(proposal.scheme)
            merged = replace(outcome, readings=outcome.readings + latency.readings)
            timed[proposal] = merged if latency.verdict == "passed" else replace(merged, verdict=latency.verdict)
            if timed[proposal].verdict == "passed":
                bound = outcome.size
        return timed

    def _latency(self, scheme: Scheme) -> Outcome:
        known = self.journal.get("time", scheme)
        if known is not None:
            return known
        name = f"{self.job.target.name}: time a file of {self.job.artifact.name}"
        (found,) = workers.run([workers.Task(name, time_file, (self.folder, self.job, scheme))], jobs=1)
        self.journal.add("time", scheme, found)
        outcome: Outcome = found
        return outcome
