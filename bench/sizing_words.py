"""What docs/sizing.md says between its tables."""

from typing import Final

from bench.scaling import SYNCS_WAITED, Machines
from bench.visits import CLIENTS, MIX
from mooring.database.postgresql import MOST_CONNECTIONS as POOL

ASSUMED: Final = Machines(4)
CORES, WORKERS = ASSUMED.replica_cores, ASSUMED.workers
SYNC, WAITED = f"{ASSUMED.sync_seconds * 1e3:g} ms", f"{SYNCS_WAITED:g} syncs"
MOST, PAIR = ASSUMED.connections, WORKERS * POOL
SHARES: Final = "\n".join(f"- {100 * share:.0f} % {kind}" for kind, share in MIX.items())

OPENING: Final = """\
Written by `make bench-sizing`: how far a cluster grows past one machine. What a request costs is measured. What many
replicas do is not: this machine can't carry them. It is computed from the costs, and a part of it is checked below.
Cores differ: put your own costs in by running the command on your machine."""

COSTS: Final = f"""\
CPU time of all processes of each part, of a visit, while {CLIENTS} clients ask each of two workers. A visit is one
request, but a push is nine. `network` is all bytes that went between client, Mooring, PostgreSQL and S3, each counted
once. Each figure is the median of three rounds.

The mix, assumed:

{SHARES}

Its visits cost more than its kinds do alone: looks that come together go to PostgreSQL in one trip, and among other
work fewer come together. What follows is from the mix as measured."""

STANDING: Final = """\
Heartbeat, the look for revoked rights twice a second, keys, configuration and checks go on while nobody asks. That is
for each worker process; a replica here has two. It is what grows with replicas, not with work."""

MODEL: Final = f"""\
By a queueing network (`bench/queueing.py`): {CLIENTS} clients for each worker ask again as soon as they are answered.

Assumed, beside the number of PostgreSQL's cores:

- a replica has {CORES} cores and {WORKERS} workers, and leaves background work to `mooring worker`
- PostgreSQL has a machine of its own, whose disk syncs in {SYNC}; a commit waits for {WAITED}, since one sync takes all
  commits that wait
- the S3 server has {ASSUMED.store_cores} cores, each as dear as the one measured, and a network that is wide enough

`commits` is the share of what the log's disk could take with all threads of all workers waiting for it. `connections`
is what the pools may open together. `sent` goes over the networks, half of it to clients."""

ENDS: Final = """\
The fewest replicas that do 95 % of what any number of them would. More than that bring nothing."""

CONNECTIONS: Final = f"""\
PostgreSQL comes with `max_connections = {MOST}`. Each worker process may take {POOL}, and background work 4 more. A
replica of two workers takes {PAIR}: from {MOST // PAIR + 1} replicas on, raise it first. It is the only limit here that
ends in an error; all others only slow down."""

THEN: Final = """\
What to do then, cheapest first:

1. **Blobs straight from the bucket** (`MOORING_STORE_REDIRECT=true`): their bytes pass neither the replicas nor their
   networks. It takes nothing off PostgreSQL.
2. **Leave background work to `mooring worker`**, and keep replicas few and busy: each one that rests costs PostgreSQL
   what the table above says.
3. **A larger machine for PostgreSQL**: nearly all of its work is small searches by index, which take as many cores as
   there are. Memory enough that tags and manifests stay in it. A disk that syncs fast makes pushes quicker, not more of
   them.
4. **A pooler** where connections are too many, PgBouncer say, by transaction. Not tried here. No lock and no setting of
   Mooring's outlives a transaction, but it sends its timeouts when it connects (`ignore_startup_parameters = options`,
   and set them for the role), prepares statements (`max_prepared_statements`), and `mooring worker` listens for
   notifications: it has to reach PostgreSQL itself.
5. **Several registries**, by team or by region, each with a database of its own.

**No read replica.** A pull by tag must show the push that was acknowledged last, on every replica: a deployment that
pulls the image before it is the fault that Mooring is there to end. A standby is behind by as much as its network and
its load make of it, and without bound when it hangs. `synchronous_commit = on` waits until a standby has written, not
until it shows; `remote_apply` waits until it shows, but then the slowest standby makes each push as slow, and one that
is away stops all of them. The same holds for rights: one that was revoked must be gone within two seconds. So Mooring
connects to a server that takes writes, and to no other (`target_session_attrs=read-write`). A standby is for
failover."""

TRIED: Final = """\
The same mix, driven by one program, on the machine that the costs are from. Client, replicas, PostgreSQL and S3 share
its cores, so the model is told so, and what the client takes. One replica of two workers is what the cost of the mix is
from: there the model's queues are tried alone. For the others its costs are tried too: the last columns but one say how
far what a visit costs there is from what was taken. Cores that were busy with other things are left out of those that
the model has."""

LEFT_OUT: Final = """\
What the model leaves out: a busier worker sends more looks in one trip, so they cost less; a less busy one's cost more.
Processes that share cores change places, which costs time. Pushes into one repository wait for each other's row.
Hundreds of busy connections make each of PostgreSQL's snapshots dearer. Memory, vacuum and checkpoints are taken as
given."""
