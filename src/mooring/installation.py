"""What the first start makes, and what every start makes sure of, before any worker serves."""

import asyncio
import fcntl
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, insert, select

from mooring.access import epoch, keyring
from mooring.cluster import heartbeat, identity
from mooring.cluster.clock import Clock
from mooring.cluster.master_key import MasterKey, master_key
from mooring.database import Database, locks, revisions, schema
from mooring.database.connect import connect, require_fit
from mooring.database.revisions import Phase
from mooring.errors import ConfigurationError, Foreign, Invalid, MooringError, PreconditionFailed, Unavailable
from mooring.identity import accounts, users
from mooring.identity.passwords import hash_password
from mooring.identity.tables import users as users_table
from mooring.projects.tables import projects
from mooring.settings import Settings
from mooring.storage.connect import open_store

LIBRARY = "library"
WAIT_SECONDS = 60.0
PAUSE_SECONDS = 2.0
ADMIN = "admin"
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.sshfs"})


@dataclass(frozen=True)
class Installed:
    first: bool
    admin_password: str | None
    """The random password that was made now; None where the operator gave one, or at a later start."""
    applied: Sequence[str] = ()
    """Revisions of the schema that it had lacked."""


@contextmanager
def held(settings: Settings) -> Iterator[None]:
    """Hold the data directory, if it is used, for this server alone. Raises ConfigurationError."""
    if settings.database_is_shared:
        yield
        return
    directory = settings.data
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(f"The data directory {directory} can't be written to: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise ConfigurationError(
            f"Another Mooring runs on the data directory {directory}. Stop it, or give --data another directory."
        ) from error
    try:
        yield
    finally:
        os.close(descriptor)


def install(settings: Settings, phase: Phase = Phase.BEFORE, *, patience_seconds: float = float("inf")) -> Installed:
    """Migrate, and make what is missing. Raises ConfigurationError with what to do.

    A start on a shared database leaves what older replicas still need (`Phase.BEFORE`); one that has its database for
    itself does all. What older replicas have to be gone for waits so long, and then raises PreconditionFailed.
    """
    try:
        if not settings.database_is_shared:
            _refuse_network_file_system(settings.database_path)
            settings.database_path.parent.mkdir(parents=True, exist_ok=True)
        database = connect(settings)
        try:
            if settings.database_is_shared:
                _wait_for(database)
            return _install(settings, database, phase, patience_seconds)
        finally:
            database.close()
    except OSError as error:
        raise ConfigurationError(f"{error.filename or settings.data} can't be written to: {error.strerror}.") from error


def wait_until_installed(settings: Settings) -> None:
    """Leave it to the servers to make the database: a password that is shown once belongs into their log.

    Raises ConfigurationError when they have not within a minute.
    """
    end = time.monotonic() + WAIT_SECONDS
    database = connect(settings)
    try:
        _wait_for(database)
        while True:
            try:
                database.read_now(schema.require_served)
                return
            except Foreign:
                # To be told by `/readyz`, which operators ask, and not by a process that has gone.
                return
            except ConfigurationError as error:
                if time.monotonic() > end:
                    raise
                _wait(f"Waiting: {error.text}")
    finally:
        database.close()


def _wait_for(database: Database) -> None:
    """A database that starts together with us gets a minute. Raises ConfigurationError with its own words."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return database.read_now(require_fit)
        except Unavailable as error:
            reason = str(error.__cause__ or error).strip().partition("\n")[0]
            if time.monotonic() > end:
                raise ConfigurationError(f"The database does not answer: {reason}") from error
            _wait(f"Waiting for the database: {reason}")


def _install(settings: Settings, database: Database, phase: Phase, patience_seconds: float) -> Installed:
    first = database.read_now(schema.version) is None
    given = settings.admin_password.get_secret_value() if settings.admin_password else None
    if first and given:
        _require_strong(given)
    sealing = master_key(settings, create=first)
    if not first:
        # Before anything is changed. An older schema is about to be migrated; one that is too new raises.
        if revisions.position(database.read_now(schema.version)) is None:
            database.read_now(schema.require_served)
        database.read_now(identity.require_master_key, sealing)
    applied = _migrate(settings, database, phase, patience_seconds)
    now = Clock(database).now()
    cluster_id = database.write_now(identity.establish, now, sealing)
    database.write_now(_mark_store, now, settings, cluster_id)
    if not settings.store_is_shared:
        _require_store(settings, cluster_id)
    password = given or accounts.random_password()
    created = database.write_now(_furnish, now, sealing, password)
    return Installed(created, None if given or not created else password, applied)


def _migrate(settings: Settings, database: Database, phase: Phase, patience_seconds: float) -> Sequence[str]:
    if not settings.database_is_shared:
        # `held` lets no other server run on it.
        return database.write_now(schema.migrate)
    waits_for = ""
    began = time.monotonic()
    while True:
        try:
            return database.write_now(schema.migrate, phase, heartbeat.require_upgraded)
        except PreconditionFailed as error:
            if time.monotonic() - began >= patience_seconds:
                raise
            _wait(f"Waiting: {error.text}" if error.text != waits_for else "")
            waits_for = error.text
        except Unavailable:
            # Somebody has a table for longer than others may be held up, such as a backup.
            if time.monotonic() - began > WAIT_SECONDS:
                raise
            _wait()


def _wait(text: str = "") -> None:
    """Before the next try, saying why where that is news."""
    if text:
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - what starts it reads this, before there are any logs
    time.sleep(PAUSE_SECONDS)


def _mark_store(connection: Connection, now: int, settings: Settings, cluster_id: str) -> None:
    """Only once: afterwards a store without the marker is another one, and no replica may serve from it."""
    locks.hold(connection, "installation", patience_seconds=int(WAIT_SECONDS))
    if identity.store_is_marked(connection):
        return
    store = open_store(settings)
    try:
        store.prepare(cluster_id)
    except Foreign:
        raise
    except MooringError as error:
        raise ConfigurationError(error.text) from error
    finally:
        store.close()
    identity.note_marked_store(connection, now)


def _require_store(settings: Settings, cluster_id: str) -> None:
    """Said now, not by workers that never get ready. A bucket may still come; a directory is there or is not."""
    store = open_store(settings, cluster_id)
    try:
        asyncio.run(store.check())
    except Foreign:
        raise
    except MooringError as error:
        raise ConfigurationError(error.text) from error
    finally:
        store.close()


def _furnish(connection: Connection, now: int, sealing: MasterKey, password: str) -> bool:
    """The first key, user and project; True where the user was made now."""
    locks.hold(connection, "installation")
    if not keyring.load(connection, sealing).keys:
        keyring.create(connection, sealing, now)
        keyring.advance(connection, now)
    if connection.execute(select(users_table.c.id).limit(1)).first() is not None:
        return False
    _require_strong(password)
    admin = users.create(connection, now, username=ADMIN, password_hash=hash_password(password), system_admin=True)
    connection.execute(
        insert(projects).values(
            name=LIBRARY,
            public=True,
            owner_id=admin,
            owner_name=ADMIN,
            metadata={},
            created_at=now,
            updated_at=now,
        )
    )
    epoch.advance(connection)
    return True


def _require_strong(password: str) -> None:
    """Raises ConfigurationError."""
    try:
        accounts.require_strong(password)
    except Invalid as error:
        raise ConfigurationError(f"MOORING_ADMIN_PASSWORD is too weak. {error.text}") from error


def _refuse_network_file_system(path: Path) -> None:
    """SQLite's locks do not hold there: two machines would corrupt the database. Raises ConfigurationError."""
    kind = _file_system(path)
    if kind in NETWORK_FILE_SYSTEMS:
        raise ConfigurationError(
            f"The database {path} lies on a network file system ({kind}), where SQLite is not safe. "
            "Give --data a local directory."
        )


def _file_system(path: Path) -> str:
    try:
        mounts = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return ""
    wanted = path.resolve()
    found = [(Path(fields[1]), fields[2]) for fields in map(str.split, mounts)]
    holding = [(place, kind) for place, kind in found if wanted.is_relative_to(place)]
    return max(holding, key=lambda item: len(item[0].parts))[1] if holding else ""
