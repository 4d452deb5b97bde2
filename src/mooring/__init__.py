"""Mooring, a container registry."""

__version__ = "0.1.0"
