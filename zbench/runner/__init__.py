"""Measure many cells in several Python environments, interleaved, in rounds of fresh processes."""

from __future__ import annotations

from zbench.runner.log import RunLog
from zbench.runner.plan import WRITE, Task, operations_of, tasks_of
from zbench.runner.process import WorkerProcess
from zbench.runner.session import Place, Progress, Session

__all__ = ["WRITE", "Place", "Progress", "RunLog", "Session", "Task", "WorkerProcess", "operations_of", "tasks_of"]
