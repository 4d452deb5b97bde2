from mooring.storage.store import ObjectBusy, ObjectMissing, OffsetMismatch, Store, new_key

__all__ = ["ObjectBusy", "ObjectMissing", "OffsetMismatch", "Store", "new_key"]
