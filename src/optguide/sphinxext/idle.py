"""``python -m optguide.sphinxext.idle``: succeed if nobody measures on this machine now."""

from __future__ import annotations

import sys

from optguide.errors import OptGuideError
from optguide.machine import measuring_lock

if __name__ == "__main__":
    try:
        with measuring_lock("nox -s docs"):
            pass
    except OptGuideError as error:
        sys.exit(str(error))
