"""The guide's claims, held against the reader's own model.

``conf/own_model.toml`` names the claims that make sense for any model and the results that decide them.
:data:`~optguide.claims.on_model.probes.PROBES` are the short sessions that measure these results;
:func:`verdicts` splits the time over them and judges by intervals, as everywhere in the guide.
"""

from __future__ import annotations

from optguide.claims.on_model.verdicts import NOT_TRIED, OwnVerdict, load, verdicts

__all__ = ["NOT_TRIED", "OwnVerdict", "load", "verdicts"]
