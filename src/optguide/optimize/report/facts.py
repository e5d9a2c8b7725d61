"""What stands around the numbers: model, machine, settings, and the command that finds them again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from optguide.optimize.config import Settings
from optguide.optimize.outcome import Outcome
from optguide.optimize.report.words import limit_text

__all__ = ["about", "command", "hardware", "machine_line", "subject_facts", "versions"]

Fact = tuple[str, str]


def about(outcome: Outcome) -> str:
    """Model and task in one line below the name of the model."""
    settings, subject = outcome.settings, outcome.subject
    parts = [subject.framework, f"goal: {settings.goal}"]
    if settings.limit is not None:
        parts.append(f"limit: {limit_text(settings.limit)}")
    parts.append(f"device {settings.device}")
    return " · ".join(part for part in parts if part)


def subject_facts(outcome: Outcome) -> tuple[Fact, ...]:
    """The model and the data."""
    return tuple(_subject(outcome))


def _subject(outcome: Outcome) -> Iterator[Fact]:
    subject, settings = outcome.subject, outcome.settings
    yield "Model", settings.model
    yield "Comes from", subject.framework or "unknown"
    for name, description in subject.inputs.items():
        yield f"Input {name}", description
    if subject.sha256:
        yield "SHA-256", subject.sha256
    yield "Data", settings.data or "random numbers, which say nothing about accuracy"
    if subject.samples:
        labels = "with labels" if subject.labelled else "without labels"
        yield "Samples", f"{subject.samples:,} {labels}: {_split(subject.calibration, subject.judged)}"


def _split(calibration: int, judged: int) -> str:
    return f"{calibration:,} to calibrate the quantization, {judged:,} others to judge it"


def hardware(machine: Mapping[str, Any]) -> tuple[Fact, ...]:
    """The machine as readers look for it; what an older or broken record lacks is left out."""
    cores = [
        f"{machine[key]} {what}"
        for key, what in (
            ("physical_cores", "physical"),
            ("logical_cores", "logical"),
            ("usable_cores", "usable"),
        )
        if machine.get(key)
    ]
    facts = {
        "Processor": machine.get("cpu"),
        "Cores": ", ".join(cores),
        "CPU quota": f"{machine['cpu_quota']:g} cores" if machine.get("cpu_quota") else "",
        "Memory": f"{machine['memory'] / 2**30:.1f} GiB" if machine.get("memory") else "",
        "Instruction sets": ", ".join(machine.get("flags") or ()),
        "System": machine.get("system_name"),
        "Kernel": machine.get("kernel"),
        "Virtual machine": {True: "yes", False: "no"}.get(machine.get("hypervisor"), ""),  # type: ignore[arg-type]
        "Frequency governor": machine.get("governor"),
    }
    devices = {d["name"]: d.get("full_name", "") for d in machine.get("devices") or () if "name" in d}
    facts |= {f"Device {name}": full for name, full in devices.items()}
    return tuple((name, str(text)) for name, text in facts.items() if text)


def versions(machine: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Python and the packages whose versions are facts about the numbers."""
    python = {"Python": machine["python"]} if machine.get("python") else {}
    return tuple({**python, **(machine.get("packages") or {})}.items())


def machine_line(machine: Mapping[str, Any]) -> str:
    """Processor and operating system in one line."""
    found = [str(machine[key]) for key in ("cpu", "system_name") if machine.get(key)]
    return ", ".join(found) or "an unknown machine"


def command(settings: Settings, out: str) -> str:
    """The command of this run for a shell, without what is the default anyway.

    :param out: folder for the results.
    """
    plain = Settings(settings.model)
    given: list[tuple[str, object]] = [
        ("--data", settings.data),
        ("--metric", settings.metric),
        ("--max-drop", _changed(f"{100 * settings.max_drop:g}%", settings.max_drop != plain.max_drop)),
        ("--slo", settings.limit and f"p{settings.limit.percentile}={settings.limit.milliseconds:.9g}ms"),
        ("--goal", _changed(settings.goal, settings.goal != plain.goal)),
        ("--budget", _changed(f"{settings.budget:.9g}s", settings.budget != plain.budget)),
        ("--device", _changed(settings.device, settings.device != plain.device)),
        *(("--shape", f"{name}={','.join(map(str, shape))}") for name, shape in settings.shapes.items()),
        ("--out", out),
    ]
    flags = [
        ("--allow-unproven", settings.unproven),
        ("--allow-pickle", settings.allow_pickle),
        ("--no-claims", not settings.claims),
    ]
    words = ["optguide", "optimize", settings.model]
    words += [str(word) for option, value in given if value is not None for word in (option, value)]
    words += [flag for flag, wanted in flags if wanted]
    return shlex.join(words)


def _changed(text: str, changed: bool) -> str | None:
    return text if changed else None
