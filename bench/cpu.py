"""CPU seconds that processes have used, from the system's own accounting (Linux)."""

import os
from pathlib import Path
from typing import Final

_PROCESSES: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def cpu_s(root: int) -> float:
    """Seconds of a process, of all that descend from it, and of those of them that ended."""
    children: dict[int, list[int]] = {}
    seconds: dict[int, float] = {}
    for entry in _PROCESSES.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text(encoding="ascii", errors="replace")
        except OSError:  # it ended meanwhile
            continue
        after_name = fields.rpartition(")")[2].split()
        pid = int(entry.name)
        children.setdefault(int(after_name[1]), []).append(pid)
        seconds[pid] = sum(map(int, after_name[11:15])) / _TICKS
    total, queue = 0.0, [root]
    while queue:
        pid = queue.pop()
        total += seconds.get(pid, 0.0)
        queue += children.get(pid, [])
    return total


def own_cpu_s() -> float:
    """Seconds of this process alone."""
    times = os.times()
    return times.user + times.system
