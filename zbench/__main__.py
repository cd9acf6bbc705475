"""``python -m zbench`` is the command line."""

from __future__ import annotations

from zbench.cli import main

if __name__ == "__main__":
    main()
