from mooring.storage.store import Begun, ObjectBusy, ObjectMissing, OffsetMismatch, Reserve, Store, Writer, new_key

__all__ = ["Begun", "ObjectBusy", "ObjectMissing", "OffsetMismatch", "Reserve", "Store", "Writer", "new_key"]
