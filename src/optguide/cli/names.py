"""Short names that say how variants differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath

__all__ = ["labels"]

Described = tuple[str, Mapping[str, str]]
"""Model and the variant's own settings."""


def labels(described: Sequence[Described]) -> list[str]:
    """One name per variant, unique: the model if there are several, and the settings that not all share.

    A setting ``name`` decides by itself.
    """
    models = _model_labels([model for model, _ in described])
    settings = [set(own.items()) for _, own in described]
    shared = set.intersection(*settings) if len(settings) > 1 else set()
    names = []
    for model, own in described:
        differing = [f"{key}={value}" for key, value in own.items() if (key, value) not in shared]
        with_model = len(models) > 1 or len(described) == 1 or not differing
        parts = [models[model], *differing] if with_model else differing
        names.append(own.get("name") or ", ".join(parts))
    return _numbered(names)


def _model_labels(models: Sequence[str]) -> dict[str, str]:
    """The shortest label of each model that none of the others has."""
    different = list(dict.fromkeys(models))
    depth = max(len(PurePath(model).parts) for model in different)
    for level in range(depth + 1):
        found = {model: _label(model, level) for model in different}
        if len(set(found.values())) == len(different):
            return found
    return {model: model for model in different}


def _label(model: str, level: int) -> str:
    """At level 0 the name without suffix, then with it, then with ever more folders before it."""
    path = PurePath(model)
    if level == 0:
        # A reference to Python code, package.module:function, has no suffix.
        return model.rpartition(":")[2] if ":" in path.name else path.stem
    return "/".join(path.parts[-level:]) or model


def _numbered(names: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(f"{name} ({seen[name]})" if seen[name] > 1 else name)
    return unique
