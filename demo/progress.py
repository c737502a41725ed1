"""Shows how far the demo is: a bar on a terminal, one line for each finished step elsewhere."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn


class Shown:
    """Progress of named steps; `told` may be called as often as there is news."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._last = ""
        self._task: TaskID | None = None
        self._bars = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=out,
            disable=not out.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def told(self, title: str, done: int, total: int) -> None:
        """Show that `done` of `total` are done in the step `title`."""
        if self._task is None or title != self._last:
            self._last = title
            self._task = self._bars.add_task(title, total=total)
        self._bars.update(self._task, completed=done)
        if done >= total and not self._out.is_terminal:
            self._out.print(f"{title}: {total:,}")
