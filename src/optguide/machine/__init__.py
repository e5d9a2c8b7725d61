"""What this machine is, how noisy it is now, and the lock that keeps two measurements apart."""

from optguide.machine.facts import Machine
from optguide.machine.lock import measuring_lock
from optguide.machine.noise import NoiseProbe, OthersMeter, probe

__all__ = ["Machine", "NoiseProbe", "OthersMeter", "measuring_lock", "probe"]
