"""What the objects of a namespace say, cause by cause. `tests/kubernetes/test_doctor.py` has a real API server."""

import json
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from mooring.doctor import bundle
from mooring.doctor.examination import Diagnosis, diagnose
from mooring.doctor.inside.marks import Marker
from mooring.doctor.kubernetes.harbor import cluster, instances, parts
from mooring.doctor.kubernetes.reading import KINDS, Objects
from mooring.doctor.observations import Observations
from mooring.errors import Unavailable
from tests.doctor import charted
from tests.doctor.charted import CHANGED, SECRETS, STARTED, Object, stamp
from tests.doctor.harbor import make_key

KEY = make_key()
PLURAL = {"PersistentVolumeClaim": "claims", "Ingress": "ingresses"}


@dataclass
class Namespace:
    """Objects as the API server would give them back."""

    items: list[Object] = field(default_factory=list)

    def add(self, item: Object, changed: datetime = CHANGED) -> Object:
        kept = deepcopy(item)
        fields: Object = {"f:data": {}} if "data" in kept else {"f:spec": {}}
        kept["metadata"] |= {
            "creationTimestamp": stamp(changed),
            "managedFields": [{"manager": "helm", "time": stamp(changed), "fieldsV1": fields}],
        }
        self.items.append(kept)
        return kept

    def pod(self, item: Object, started: datetime = STARTED) -> None:
        self.add(item)["status"] = charted.running(item, started)

    def find(self, kind: str, name: str) -> Object:
        return next(each for each in self.items if each["kind"] == kind and each["metadata"]["name"] == name)

    @property
    def objects(self) -> Objects:
        found: dict[str, list[Object]] = {kind: [] for kind in KINDS}
        for item in self.items:
            kind = item["kind"]
            found[PLURAL.get(kind, f"{kind.lower()}s")].append(item)
        return Objects("harbor", "v1.34.1", found)


def sound() -> Namespace:
    namespace = Namespace()
    for item in charted.objects(KEY):
        namespace.add(item)
    namespace.pod(charted.core_pod("harbor-core-a", "node1"))
    namespace.pod(charted.core_pod("harbor-core-b", "node2"))
    namespace.pod(charted.registry_pod("harbor-registry-a", "node1"))
    namespace.pod(charted.portal_pod("harbor-portal-a", "node1"))
    for node in ("node1", "node2"):
        namespace.add(charted.lease(node, CHANGED + timedelta(seconds=0.4)))
    return namespace


Break = Callable[[Namespace], None]
CLAIMED: Object = {"persistentVolumeClaim": {"claimName": "harbor-registry"}}


def nothing(_: Namespace) -> None: ...


def started_before_the_change(*pods: str) -> Break:
    def broken(namespace: Namespace) -> None:
        for name in pods:
            item = namespace.find("Pod", name)
            item["status"] = charted.running(item, CHANGED - timedelta(hours=1))

    return broken


def settings(**changed: str) -> Break:
    return lambda namespace: namespace.find("ConfigMap", "harbor-core")["data"].update(changed)


def secret_key(value: str) -> Break:
    def broken(namespace: Namespace) -> None:
        data = namespace.find("Secret", "harbor-core")["data"]
        data["secretKey"] = charted.secret("x", {"x": value})["data"]["x"]

    return broken


def no_token_key(namespace: Namespace) -> None:
    del namespace.find("Secret", "harbor-core")["data"]["tls.key"]


def own_key_of_one(namespace: Namespace) -> None:
    namespace.add(charted.secret("own", {"tls.key": make_key().pem().decode()}))
    namespace.find("Pod", "harbor-core-b")["spec"]["volumes"][1]["secret"]["secretName"] = "own"


def rolled_again_and_again(namespace: Namespace) -> None:
    for number in range(4):
        namespace.add(charted.revision(namespace.find("Deployment", "harbor-core"), number))


def clock(seconds: float) -> Break:
    def broken(namespace: Namespace) -> None:
        spec = namespace.find("Lease", "node2")["spec"]
        spec["renewTime"] = charted.lease("node2", CHANGED + timedelta(seconds=seconds))["spec"]["renewTime"]

    return broken


def other_htpasswd(namespace: Namespace) -> None:
    data = namespace.find("Secret", "harbor-registry-htpasswd")["data"]
    data["REGISTRY_HTPASSWD"] = charted.secret("x", {"x": "harbor_registry_user:$2y$04$" + "a" * 53})["data"]["x"]


def second_registry(volume: Object) -> Break:
    def broken(namespace: Namespace) -> None:
        deployment = namespace.find("Deployment", "harbor-registry")
        deployment["spec"]["replicas"] = 2
        volumes = deployment["spec"]["template"]["spec"]["volumes"]
        volumes[0] = {"name": "registry-data"} | volume
        namespace.find("PersistentVolumeClaim", "harbor-registry")["spec"]["accessModes"] = ["ReadWriteOnce"]

    return broken


def other_ingress(**changed: str) -> Break:
    return lambda namespace: namespace.find("Ingress", "harbor-ingress").update(spec=charted.ingress(**changed)["spec"])


def older_core(namespace: Namespace) -> None:
    item = namespace.find("Pod", "harbor-core-b")
    item["spec"] = charted.core_pod_spec("v2.15.1") | {"nodeName": "node2"}
    item["status"] = charted.running(item, STARTED)


def other_selector(namespace: Namespace) -> None:
    namespace.find("Service", "harbor-core")["spec"]["selector"]["component"] = "cores"


def status_of_one_core(**changed: object) -> Break:
    return lambda namespace: namespace.find("Pod", "harbor-core-b")["status"]["containerStatuses"][0].update(changed)


def another_proxy_for_one(namespace: Namespace) -> None:
    for name, proxy in (("harbor-core-a", "http://proxy:3128"), ("harbor-core-b", "")):
        container = namespace.find("Pod", name)["spec"]["containers"][0]
        container["env"] = [*container["env"], {"name": "HTTP_PROXY", "value": proxy}]


CASES: list[tuple[str, str, Break]] = [
    ("sound", "", nothing),
    ("one core older than its key", "RC1", started_before_the_change("harbor-core-a")),
    ("all cores older than their key", "RC1", started_before_the_change("harbor-core-a", "harbor-core-b")),
    ("the Secret has no key", "RC1", no_token_key),
    ("a Secret of its own for one core", "RC1", own_key_of_one),
    ("rolled for new keys again and again", "RC1", rolled_again_and_again),
    ("a node's clock 90 s ahead", "RC2", clock(90)),
    ("a node's clock 30 s ahead", "RC2", clock(30)),
    ("htpasswd of another password", "RC9", other_htpasswd),
    ("external URL without TLS behind an ingress with it", "RC10", settings(EXT_ENDPOINT="http://core.harbor.domain")),
    ("ingress for another host", "RC11", other_ingress(host="other.domain")),
    ("two registries on a volume for one", "RC14", second_registry(CLAIMED)),
    ("two registries with directories of their own", "RC14", second_registry({"emptyDir": {}})),
    ("secretKey too long", "RC17", secret_key("seventeen letters")),
    ("proxy cache through the service", "RC19", settings(CORE_LOCAL_URL="http://harbor-core")),
    ("tokens lead elsewhere", "RC21", other_ingress(tokens="harbor-portal")),
    ("an older core", "RC23", older_core),
    ("a service that selects no pod", "?", other_selector),
    ("a core restarted again and again", "?", status_of_one_core(restartCount=9)),
    ("a core that is not ready", "?", status_of_one_core(ready=False)),
    ("a proxy for one core alone", "?", another_proxy_for_one),
]  # fmt: skip


def diagnosed(namespace: Namespace) -> Diagnosis:
    objects, marker = namespace.objects, Marker()
    found = parts(objects)
    seen = Observations(
        made_at=time.time(),
        tool="test",
        target="namespace harbor",
        instances=tuple(instances(objects, found, marker)),
        kubernetes=cluster(objects, found),
    )
    return diagnose(seen)


@pytest.mark.parametrize(("name", "expected", "broken"), CASES, ids=[name for name, _, _ in CASES])
def test_names_the_cause_and_no_other(name: str, expected: str, broken: Break) -> None:
    namespace = sound()
    broken(namespace)
    found = diagnosed(namespace)
    assert {finding.cause or "?" for finding in found.findings} == set(expected.split()), found.findings
    kept = bundle.encode(found.seen).decode()
    assert not [secret for secret in (*SECRETS, "BEGIN RSA") if secret in kept]
    assert diagnose(bundle.decode(kept.encode())).findings == found.findings


def test_a_key_that_no_core_holds_yet_is_harmless_so_far() -> None:
    namespace = sound()
    started_before_the_change("harbor-core-a", "harbor-core-b")(namespace)
    (finding,) = diagnosed(namespace).findings
    assert (finding.harmless, finding.confidence) == (True, "possible")


def test_what_a_pod_may_not_have_yet_is_not_taken_for_what_it_has() -> None:
    namespace = sound()
    started_before_the_change("harbor-core-a")(namespace)
    first = next(each for each in diagnosed(namespace).seen.instances if each.name == "harbor-core-a")
    assert first.token_key is None
    assert "CSRF_KEY" not in first.environment
    assert first.environment.keys() & {"CORE_SECRET", "EXT_ENDPOINT"} == set()


def test_registries_in_a_bucket_need_no_volume() -> None:
    namespace = sound()
    second_registry({"emptyDir": {}})(namespace)
    config = namespace.find("ConfigMap", "harbor-registry")["data"]
    config["config.yml"] = "storage: {s3: {bucket: images}}"
    assert not diagnosed(namespace).findings


def test_a_namespace_without_harbor_is_said() -> None:
    with pytest.raises(Unavailable, match="no pod of a Harbor core"):
        parts(Objects("default", "", {"pods": []}))


def test_secrets_that_may_not_be_read_are_not_guessed() -> None:
    namespace = sound()
    namespace.items = [item for item in namespace.items if item["kind"] != "Secret"]
    found = diagnosed(namespace)
    assert not found.findings, json.dumps([finding.title.en for finding in found.findings])
