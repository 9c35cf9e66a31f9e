"""Explain: one layer of a network, as its paper counts it, with the layer's own numbers in the equations."""

from pocketvision.explain.layer import explain

__all__ = ["explain"]
