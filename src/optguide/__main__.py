"""``python -m optguide`` is the command ``optguide``."""

from __future__ import annotations

from optguide.cli import main

if __name__ == "__main__":
    main()
