"""Fit a vision network to your images and your device."""

__version__ = "0.1.0"
