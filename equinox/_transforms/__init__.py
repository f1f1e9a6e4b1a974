"""Filtered transformations: one file for each transformation of JAX, on one mechanism to split and join leaves."""

from pathlib import Path

from .traceback import hide_frames

hide_frames(Path(__file__).parent)
hide_frames(Path(__file__).parent.parent / "_module")
hide_frames(Path(__file__).parent.parent / "_runtime")
