"""``python -m optguide.guide.sphinxext.idle``: succeed if nobody measures on this machine now."""

from __future__ import annotations

from optguide.guide.sphinxext.gallery import plain_errors
from optguide.machine import measuring_lock

if __name__ == "__main__":
    with plain_errors(), measuring_lock("nox -s docs"):
        pass
