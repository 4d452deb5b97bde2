"""What was seen of a registry: gathered once, kept in a bundle, and looked at by every check.

Nothing here is a secret. Passwords, keys and tokens are read by the collectors and left behind: of a token its claims
stay, of a setting that may be secret a keyed hash, of a key the public half's fingerprint.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mooring.doctor.census import Census
from mooring.doctor.texts import Text
from mooring.egress.certificates import Certificate

Component = Literal["core", "registry", "registryctl", "jobservice", "other"]


@dataclass(frozen=True)
class Answer:
    """One HTTP exchange. `status` 0 and a `trouble` (see `egress.client.Reply`) when nothing came."""

    status: int
    seconds: float
    at: float
    """When it was asked and answered, halfway, in Unix seconds of the machine that asked."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By their names in lower case; only those that a check reads."""
    body: str = ""
    """Its beginning; never a token endpoint's."""
    trouble: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Token:
    """What a token says of itself. Times are Unix seconds."""

    kid: str
    algorithm: str
    issuer: str
    subject: str
    issued_at: float
    not_before: float
    expires_at: float
    access: Mapping[str, tuple[str, ...]]
    """Actions by repository."""


@dataclass(frozen=True)
class Grant:
    """An answer of the token endpoint, decoded: 200 alone says nothing of whether a login was taken."""

    answer: Answer
    token: Token | None = None

    @property
    def subject(self) -> str:
        """Who the token is for; empty for nobody, and where there is none."""
        return self.token.subject if self.token else ""


@dataclass(frozen=True)
class Info:
    """`/api/v2.0/systeminfo`. Only who is logged in is told more than the way to log in."""

    auth_mode: str = ""
    version: str = ""
    external_url: str = ""
    read_only: bool = False


@dataclass(frozen=True)
class Project:
    name: str
    id: int
    public: bool
    created_at: float
    proxy: bool = False
    direct_id: int | None = None
    """Its id by its own address, which may come from a cache, while a list comes from the database."""
    direct_status: int = 0


@dataclass(frozen=True)
class Quota:
    """Bytes that a project may hold and holds. `hard` is -1 where there is no limit."""

    project: str
    hard: int
    used: int


@dataclass(frozen=True)
class Door:
    """One address of the registry: its entrance, or a single core behind it."""

    name: str
    url: str
    direct: bool
    ping: Answer
    challenges: tuple[Answer, ...] = ()
    """`GET /v2/` without credentials; at a core with the entrance's name in `Host`."""
    anonymous: tuple[Grant, ...] = ()
    stranger: Grant | None = None
    """A login under a name that nobody has, with a scope: a healthy core takes 1.5 s to say no."""
    logins: tuple[Grant, ...] = ()
    components: Mapping[str, str] = field(default_factory=dict)
    """`/api/v2.0/health`: `healthy`, or what is wrong."""
    info: Info = Info()
    listing: Answer | None = None
    projects: tuple[Project, ...] = ()
    reads: tuple[Answer, ...] = ()
    """`GET` of a blob that is not there, with a token: answered by the registry behind the core."""
    uploads: tuple[Answer, ...] = ()
    """`POST` that opens an upload; it is cancelled at once."""
    mount: Answer | None = None


@dataclass(frozen=True)
class Crossing:
    """Something that one door gave, shown at another."""

    kind: Literal["token", "upload", "csrf"]
    giver: str
    taker: str
    answer: Answer
    kid: str = ""
    issued_at: float = 0


@dataclass(frozen=True)
class Account:
    """Whose credentials were used, and where they were sent: to no other origin."""

    name: str
    source: str
    sent_to: tuple[str, ...] = ()


@dataclass(frozen=True)
class Replica:
    """A replica of a Mooring, as it says of itself in `/readyz`, and the keys that it publishes."""

    name: str
    door: str
    ready: bool
    failed: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What was asked over HTTP."""

    entrance: str
    repository: str
    doors: tuple[Door, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    account: Account | None = None
    repository_was_named: bool = False
    mount_from: str = ""
    longest_upload_seconds: float = 0
    replicas: tuple[Replica, ...] = ()
    """Of a Mooring; a Harbor has none."""
    keyrings: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    """By door: every set of keys that was published there, in the order of their ids."""
    quota: Quota | None = None
    census: Census | None = None
    """What a Mooring tells its administrator."""
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    """By door, of those that speak https."""


@dataclass(frozen=True)
class StoreFault:
    """Something that the index names and the store does not have whole. See `registry.audit`."""

    kind: str
    what: str
    text: str


@dataclass(frozen=True)
class StoreLook:
    """The store against the index."""

    manner: Literal["sample", "sizes", "bytes"]
    looked_at: int
    """Blobs."""
    faults: tuple[StoreFault, ...] = ()
    """The first of them."""
    fault_count: int = 0


@dataclass(frozen=True)
class Installation:
    """A Mooring examined with its own settings."""

    census: Census | None = None
    store: StoreLook | None = None


@dataclass(frozen=True)
class Value:
    """A setting: in plain text where it can be no secret, and the keyed hash of it always."""

    mark: str
    plain: str | None = None
    length: int = 0


@dataclass(frozen=True)
class KeyFile:
    """The token signing key that a core has. `kid` is the fingerprint of its public half."""

    path: str
    state: Literal["good", "missing", "unreadable", "damaged", "pkcs8", "not_rsa"]
    kid: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Instance:
    """One running part of a Harbor as it is set up: a pod, or a service of one compose directory."""

    name: str
    component: Component
    place: str
    """The node or directory that it belongs to: parts of one place talk to each other."""
    image: str = ""
    version: str = ""
    environment: Mapping[str, Value] = field(default_factory=dict)
    files: Mapping[str, Value] = field(default_factory=dict)
    """By what they are: `key`, `app.conf`, `passwd`, `config.yml`."""
    token_key: KeyFile | None = None
    started_at: float = 0
    ready: bool = True
    restarts: int = 0
    passwd_accepts: tuple[str, ...] = ()
    """Of a registry: names of the cores whose credential its password file takes."""
    passwd_refuses: tuple[str, ...] = ()
    storage: str = ""
    """Of a registry: where it keeps bytes."""
    siblings: tuple[str, ...] = ()
    """Other services of the same Compose file: names that lead to this node alone."""


@dataclass(frozen=True)
class LogHit:
    """A line of a log that is known to mean something, and how often it came."""

    signature: str
    place: str
    count: int
    sample: str
    first: str = ""
    last: str = ""


@dataclass(frozen=True)
class SecretMount:
    """A Secret that a core's pod holds as it was when the pod started (`subPath`)."""

    pod: str
    secret: str
    key: str
    path: str
    secret_changed_at: float
    pod_started_at: float


@dataclass(frozen=True)
class Workload:
    """A Deployment or StatefulSet."""

    name: str
    component: str
    replicas: int
    ready: int
    updated: int
    claims: tuple[str, ...] = ()
    """`NAME: MODES` of each volume claim."""
    single_writer_claims: tuple[str, ...] = ()
    own_directories: tuple[str, ...] = ()
    """Volumes of bytes that each pod has for itself (`emptyDir`)."""
    managers: tuple[str, ...] = ()
    """Who writes it down: helm, kubectl, argocd-controller."""


@dataclass(frozen=True)
class NodeClock:
    """How far a node's clock is ahead of the API server's, in seconds, by the lease that its kubelet renews."""

    node: str
    ahead_seconds: float
    error_seconds: float


@dataclass(frozen=True)
class Route:
    """What leads from outside to the cores."""

    name: str
    kind: str
    hosts: tuple[str, ...] = ()
    paths: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    tls: bool = False


@dataclass(frozen=True)
class Service:
    """A Service, and the pods of Harbor that it leads to."""

    name: str
    pods: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kubernetes:
    namespace: str
    server_version: str = ""
    mounts: tuple[SecretMount, ...] = ()
    workloads: tuple[Workload, ...] = ()
    clocks: tuple[NodeClock, ...] = ()
    routes: tuple[Route, ...] = ()
    services: tuple[Service, ...] | None = None
    """None where they may not be read."""
    rerolled: Mapping[str, int] = field(default_factory=dict)
    """How often a Secret with the token key was written anew, by what the revisions of the cores' pods show."""
    template_made: tuple[str, ...] = ()
    """Secrets whose token key was made by the chart while rendering."""


@dataclass(frozen=True)
class Gap:
    """What could not be looked at, and why."""

    what: Text
    why: Text


@dataclass(frozen=True)
class Observations:
    made_at: float
    tool: str
    target: str
    asked: Asked | None = None
    instances: tuple[Instance, ...] = ()
    logs: tuple[LogHit, ...] = ()
    logs_read: tuple[str, ...] = ()
    kubernetes: Kubernetes | None = None
    installation: Installation | None = None
    gaps: tuple[Gap, ...] = ()
    key_id: str = ""
    """Names the key of the hashes: marks of two bundles compare only under one."""
