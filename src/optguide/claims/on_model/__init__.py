"""The guide's claims, tried on the reader's own model.

``conf/own_model.toml`` names the claims that make sense for any model and the results that decide them.
:data:`~optguide.claims.on_model.probes.PROBES` are the short measurements that yield these results;
:func:`evaluate_model` splits the time over them and judges by intervals, as everywhere in the guide.
"""

from __future__ import annotations

from optguide.claims.on_model.evaluation import evaluate_model, load

__all__ = ["evaluate_model", "load"]
