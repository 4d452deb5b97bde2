from mooring.storage.store import ObjectBusy, ObjectMissing, OffsetMismatch, Reserve, Store, Writer, new_key

__all__ = ["ObjectBusy", "ObjectMissing", "OffsetMismatch", "Reserve", "Store", "Writer", "new_key"]
