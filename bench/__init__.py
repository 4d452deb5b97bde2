"""Mooring's speed beside other registries', on one machine in one run: `python -m bench`."""
