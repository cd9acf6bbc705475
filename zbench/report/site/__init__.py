"""The dashboard: histories of numbers as a site of plain files that needs no server and no other host."""

from __future__ import annotations
