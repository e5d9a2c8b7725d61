"""``python -m optguide.sphinxext.idle``: succeed if nobody measures on this machine now."""

from __future__ import annotations

from optguide.machine import measuring_lock
from optguide.sphinxext.gallery import plain_errors

if __name__ == "__main__":
    with plain_errors(), measuring_lock("nox -s docs"):
        pass
