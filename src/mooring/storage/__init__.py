from mooring.storage.store import ObjectBusy, ObjectMissing, OffsetMismatch, Store, Writer, new_key

__all__ = ["ObjectBusy", "ObjectMissing", "OffsetMismatch", "Store", "Writer", "new_key"]
