"""Hypothesis for all tests of this folder."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes depends on the machine and says nothing about it being right.
settings.register_profile("zbench", deadline=None)
settings.load_profile("zbench")
