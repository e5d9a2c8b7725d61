"""``optguide claims MODEL``: the claims that make sense for any model, on the reader's."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optguide.errors import ModelError, OptionError

if TYPE_CHECKING:
    from optguide.measuring.variant import Variant
    from optguide.own import OwnVerdict

__all__ = ["run"]

BUDGET = 120.0
"""Seconds."""


def run(model: str, options: Mapping[str, Any], *, as_json: bool) -> None:
    """Try the claims and print their verdicts.

    :raises OptionError: a budget in which none could be tried.
    :raises OptGuideError: the call has to change, or the model cannot be measured at all.
    """
    from optguide import format as fmt
    from optguide import own
    from optguide.cli import claims_table
    from optguide.cli.as_json import emit
    from optguide.cli.errors import warn
    from optguide.cli.session import machine_held
    from optguide.machine import Machine

    budget = BUDGET if options["budget"] is None else options["budget"]
    plain, int8 = _checked(model, options)
    if not budget > 0:
        raise OptionError("A budget of 0 s tries nothing.", "Use a budget above zero.")
    with machine_held(f"optguide claims {plain.name}", options["wait"]):
        start = time.monotonic()
        found = own.verdicts(
            plain.model,
            inputs=plain.inputs,
            shapes=plain.shapes,
            device=plain.device,
            int8=int8,
            seconds=budget,
            only=options["only"] or None,
            label=f"claims on {plain.name}",
        )
        seconds = time.monotonic() - start
    _refuse_too_short(found, budget)
    lines = [
        claims_table.Line(
            verdict.claim.id,
            verdict.outcome,
            verdict.claim.statement,
            verdict.reasons,
            verdict.to_dict(),
            note=f"{verdict.claim.id}, on the page {verdict.claim.page}",
        )
        for verdict in found
    ]
    machine = Machine.current()
    if as_json:
        content = {
            "machine": machine.to_dict(),
            "variant": plain.to_dict(evidence=True),
            "int8": int8,
            "budget": {"seconds": budget},
            "seconds": seconds,
            "counts": claims_table.counts(lines),
            "claims": [line.details for line in lines],
        }
        emit("claims", content)
    else:
        where = f"{machine.summary()}, in {fmt.duration(seconds)}"
        claims_table.show(f"The guide's claims on {plain.name}", lines, where)
    for sentence in _warnings(found):
        warn(sentence)


def _checked(model: str, options: Mapping[str, Any]) -> tuple[Variant, str | None]:
    """The model with OpenVINO's defaults, and its 8-bit form.

    :raises UserError: a file, a shape or the kind of a model that cannot work.
    """
    from optguide.cli.variants import Spec, build, common_settings
    from optguide.models import check_model

    int8 = None if options["int8"] is None else str(options["int8"])
    for file in (model, *([int8] if int8 else [])):
        if Path(file).suffix.lower() == ".pt2":
            raise ModelError(f"Claims cannot be tried on {Path(file).name}.", "Convert it to IR or ONNX.")
    (plain,) = build([Spec(model, {})], common_settings(options), allow_pickle=False)
    if int8 is not None:
        check_model(int8, "openvino", allow_pickle=False)
    return plain, int8


def _refuse_too_short(found: Sequence[OwnVerdict], budget: float) -> None:
    from optguide import format as fmt
    from optguide.own import NOT_TRIED

    left_out = [verdict for verdict in found if verdict.outcome == NOT_TRIED]
    if left_out and all(verdict.outcome in (NOT_TRIED, "not measurable here") for verdict in found):
        raise OptionError(
            f"In {fmt.duration(budget)}, none of the claims could be tried. {left_out[0].reasons[0]}",
            "Give a larger --budget, such as 2m.",
        )


def _warnings(found: Sequence[OwnVerdict]) -> list[str]:
    from optguide.cli.session import busy

    results = [result for verdict in found for result in verdict.results.values()]
    shares = [result.evidence["others_share"] for result in results if "others_share" in result.evidence]
    return busy(max(shares, default=0.0))
