"""The command line: parse, call one use case, print, exit."""

from __future__ import annotations

from zbench.cli.main import main

__all__ = ["main"]
