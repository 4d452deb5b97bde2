from mooring.cli.main import main

__all__ = ["main"]
