"""What asv loads from zbench: quick environments made by uv, and pages that need no other host.

Named in ``asv.conf.json`` as ``"plugins": [".zbench.asv_plugin"]``. The leading dot is asv's mark for a module that is
not its own; without it asv looks among its own plugins, finds none, and says nothing.
"""

from __future__ import annotations

from zbench.asv_plugin.offline_html import OfflineHtml
from zbench.asv_plugin.uv_environment import UvEnvironment

__all__ = ["OfflineHtml", "UvEnvironment"]
