"""The master key is replaced replica by replica, while pushes go on and none is refused."""

import pytest

from tests.replicas.cluster import new_key
from tests.replicas.crew import Crew, Pusher, wait_for_failure
from tests.replicas.replica import Replica

pytestmark = pytest.mark.replicas


def give(replica: Replica, current: str, previous: str | None = None) -> None:
    """Restart it with these keys."""
    replica.stop()
    keys = {"MOORING_MASTER_KEY": current} | ({"MOORING_MASTER_KEY_PREVIOUS": previous} if previous else {})
    kept = {name: value for name, value in replica.environment.items() if not name.startswith("MOORING_MASTER_KEY")}
    replica.environment = kept | keys
    replica.start()


@pytest.mark.timeout(600)
def test_no_push_is_refused_and_a_wrong_order_is_explained(crew: Crew) -> None:
    old, new = crew.environment["MOORING_MASTER_KEY"], new_key()
    both = {"MOORING_MASTER_KEY": new, "MOORING_MASTER_KEY_PREVIOUS": old}
    first, second = crew.start("registry-1", "registry-2")
    with Pusher(crew) as pusher:
        pusher.more()
        said = crew.command("master-key", "replace")
        assert (said.code, "Only one master key was given" in said.text) == (2, True)

        give(first, new, old)
        early = crew.command("master-key", "replace", **both)
        assert early.code == 2
        assert "not given the new master key yet: registry-2/" in early.text
        assert "registry-1" not in early.text
        # A key that the restarted one may make now has to be good for the other one.
        assert crew.command("keys", "rotate", **both).code == 0
        pusher.more()

        give(second, new, old)
        pusher.more()
        done = crew.command("master-key", "replace", **both)
        assert done.code == 0, done
        assert "with the new master key. The old one is needed no more" in done.text
        pusher.more()
        again = crew.command("master-key", "replace", **both)
        assert (again.code, "already. Nothing was changed." in again.text) == (2, True)

        for replica in (first, second):
            give(replica, new)
            pusher.more()
    assert pusher.refused == []
    late = crew.launch("too-late")
    assert "is not the one" in wait_for_failure(late, "master_key")
    crew.environment["MOORING_MASTER_KEY"] = new
    assert crew.command("check").text.endswith("No faults.\n")


def test_a_replica_with_the_new_one_alone_comes_too_early(crew: Crew) -> None:
    crew.start("registry-1")
    early = crew.launch("too-early", MOORING_MASTER_KEY=new_key())
    reason = wait_for_failure(early, "master_key")
    assert "while it is being replaced, give the one before it too (MOORING_MASTER_KEY_PREVIOUS)" in reason
