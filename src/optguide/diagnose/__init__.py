"""Why a model is slow as it is deployed: checks, each of which tries its remedy in turn with the deployment.

A *check* looks at what the device made of the deployment and says which remedies could help. All remedies
take turns with the deployment in one session, and those that look promising do so again in a second one,
which alone decides: a gain is not reported from the measurement that chose it.
"""

from __future__ import annotations

from optguide.diagnose.diagnosis import Diagnosis, Finding, Remark
from optguide.diagnose.run import diagnose

__all__ = ["Diagnosis", "Finding", "Remark", "diagnose"]
