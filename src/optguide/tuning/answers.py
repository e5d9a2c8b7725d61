"""Outputs of one model for the judged samples."""

from __future__ import annotations

__all__ = ["Answers"]


class Answers:
    """Outputs and labels by judged sample."""
