from mooring.database.database import Database, short

__all__ = ["Database", "short"]
