"""Which task comes next: those with the longest way to the end first, as many as workers and memory allow.

    convert ──┬──▶ quantize ──▶ check     A task starts as soon as all that it needs is done and there is room for it.
              └──▶ calibrate ──▶ …        Of several, that one starts which has most to be done after it, one task
    reference ──▶ every check             after the other: what ends last is on that way.

Nothing here runs anything: `workers` does.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mobile_export.errors import ExportError


@dataclass(frozen=True, eq=False)
class Task:
    """A call to make in a worker.

    Attributes:
        name: what it does, for messages ("convert to tflite").
        function: importable by name; its arguments and result are picklable.
        arguments: a task among them stands for its result.
        model: the file to blame when a library aborts, where it is the model that is run.
        after: tasks that must be done before, besides those among the arguments.
        cost: how long it takes, on any scale that all tasks of a run share.
        memory: bytes that it takes at its peak, as far as is known.
        alone: whether nothing else may run beside it, as when time is measured; such tasks come when nothing else can.
        tolerated: errors that stop no other task: they are its result, and that of all tasks that need it.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    model: Path | None = None
    after: tuple["Task", ...] = ()
    cost: float = 1.0
    memory: int = 0
    alone: bool = False
    tolerated: tuple[type[ExportError], ...] = ()

    @property
    def needs(self) -> tuple["Task", ...]:
        """All tasks that must be done before."""
        return (*self.after, *(argument for argument in self.arguments if isinstance(argument, Task)))


@dataclass(frozen=True)
class Room:
    """What tasks share.

    Attributes:
        jobs: tasks that may run at once.
        memory: bytes that they may take together; a task that wants more runs with no other. None: unlimited.
    """

    jobs: int
    memory: int | None = None

    def fits(self, task: Task, running: Collection[Task]) -> bool:
        """Whether `task` may start beside those that run."""
        if not running:
            return True
        if task.alone or len(running) >= self.jobs or any(other.alone for other in running):
            return False
        return self.memory is None or task.memory + sum(other.memory for other in running) <= self.memory


@dataclass
class Schedule:
    """The order of tasks, decided as they end.

    Attributes:
        tasks: those that a task needs stand before it.
        results: of the tasks that are done.
    """

    tasks: Sequence[Task]
    room: Room
    results: dict[Task, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        places = {task: place for place, task in enumerate(self.tasks)}
        for task in self.tasks:
            if any(places.get(needed, len(places)) >= places[task] for needed in task.needs):
                raise ValueError(f"{task.name}: what it needs does not stand before it")
        ways = _ways(self.tasks)
        self._waiting = sorted(self.tasks, key=lambda task: (task.alone, -ways[task], places[task]))

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be started."""
        return not self._waiting

    def take(self, running: Collection[Task]) -> Task | None:
        """The task to start now beside those that run; None where one of these has to end before."""
        for task in self._waiting:
            if all(needed in self.results for needed in task.needs) and self.room.fits(task, running):
                self._waiting.remove(task)
                return task
        return None

    def arguments(self, task: Task) -> tuple[Any, ...]:
        """Those of a call, results in the place of tasks."""
        return tuple(self.results[each] if isinstance(each, Task) else each for each in task.arguments)

    def done(self, task: Task, result: Any) -> None:
        """Note how `task` ended; what needs a task that failed has failed with it."""
        self.results[task] = result
        if isinstance(result, ExportError):
            while other := next((other for other in self._waiting if task in other.needs), None):
                self._waiting.remove(other)
                self.done(other, result)


def _ways(tasks: Sequence[Task]) -> Mapping[Task, float]:
    """What has to be done one after the other from the start of each task to the end of all that needs it."""
    ways: dict[Task, float] = {}
    behind = dict.fromkeys(tasks, 0.0)
    for task in reversed(tasks):
        ways[task] = task.cost + behind[task]
        for needed in task.needs:
            behind[needed] = max(behind[needed], ways[task])
    return ways
