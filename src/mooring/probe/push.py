"""One push as a CI job does it, over one or two endpoints, and back."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin, urlsplit

from mooring.egress.client import Egress, Reply
from mooring.probe.authority import Holder, Place, place
from mooring.probe.image import MANIFEST_TYPE, Image, digest_of, make_image

SHOWN: Final = 300
LONGEST: Final = 1000
REDIRECTIONS: Final = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTIONS: Final = 5


@dataclass(frozen=True)
class Step:
    """One request: what it was for, where it went, and why it was not what a sound registry answers."""

    name: str
    endpoint: str
    status: int
    seconds: float
    fault: str = ""


@dataclass(frozen=True)
class Run:
    """A push whose tokens came from `issuer`, and whose requests went to it and `other` in turns."""

    issuer: str
    other: str
    steps: tuple[Step, ...]
    seconds: float

    @property
    def fault(self) -> Step | None:
        return next((step for step in self.steps if step.fault), None)


class Failed(Exception):
    """A step was not answered as it must be; what follows can't be tried."""


@dataclass
class Pusher:
    egress: Egress
    holder: Holder
    issuer: str
    other: str
    repository: str
    own: frozenset[Place]
    """Where the registry is: an upload that goes on elsewhere is not one that its clients reach."""
    steps: list[Step] = field(default_factory=list)
    turn: int = 0
    begun: list[str] = field(default_factory=list)
    """Places of uploads that have not ended."""
    named: bool = False
    """Whether a manifest was sent: there may be one to delete."""

    async def run(self) -> Run:
        started = time.monotonic()
        image = make_image()
        try:
            await self._push(image)
            await self._pull(image)
        except Failed:
            pass
        finally:
            await self._clean(image)
        return Run(self.issuer, self.other, tuple(self.steps), time.monotonic() - started)

    async def _push(self, image: Image) -> None:
        whole, *pieces = (*image.layers, image.config)
        await self._upload(whole, chunks=1)
        for content in pieces:
            await self._upload(content, chunks=2)
        await self._mount(digest_of(whole))
        headers = {"content-type": MANIFEST_TYPE}
        path = f"/v2/{self.repository}/manifests/{image.tag}"
        self.named = True
        await self._ask("manifest", "PUT", path, {201}, headers=headers, body=image.manifest)

    async def _upload(self, content: bytes, *, chunks: int) -> None:
        """Each request goes to the other endpoint: an upload begun here is continued there."""
        reply = await self._ask("upload", "POST", f"/v2/{self.repository}/blobs/uploads/", {202})
        self.begun.append(self._place(reply))
        step = -(-len(content) // chunks)
        for start in range(0, len(content), step) if chunks > 1 else ():
            piece = content[start : start + step]
            headers = {
                "content-type": "application/octet-stream",
                "content-range": f"{start}-{start + len(piece) - 1}",
            }
            reply = await self._ask("chunk", "PATCH", self._place(reply), {202}, headers=headers, body=piece)
            self.begun[-1] = self._place(reply)
        path = self._place(reply)
        joint = "&" if "?" in path else "?"
        rest = content if chunks == 1 else b""
        headers = {"content-type": "application/octet-stream"}
        path = f"{path}{joint}digest={digest_of(content)}"
        await self._ask("blob", "PUT", path, {201}, headers=headers, body=rest)
        self.begun.pop()

    async def _mount(self, digest: str) -> None:
        """A registry may decline a mount by opening an upload, which is then cancelled."""
        path = f"/v2/{self.repository}-mount/blobs/uploads/?mount={digest}&from={self.repository}"
        reply = await self._ask("mount", "POST", path, {201, 202})
        if reply.status == 202:
            await self._ask("cancel", "DELETE", self._place(reply), {202, 204, 401, 403, 405})

    async def _pull(self, image: Image) -> None:
        path = f"/v2/{self.repository}/manifests/{image.tag}"
        reply = await self._ask("pull manifest", "GET", path, {200}, headers={"accept": MANIFEST_TYPE})
        self._compare("pull manifest", reply, image.manifest)
        for content in (*image.layers, image.config):
            path = f"/v2/{self.repository}/blobs/{digest_of(content)}"
            reply = await self._ask("pull blob", "GET", path, {200, *REDIRECTIONS})
            self._compare("pull blob", await self._followed(reply), content)

    async def _followed(self, reply: Reply) -> Reply:
        """Where a registry sends pulls elsewhere, as to its bucket: without credentials, which are not for it."""
        address = self.steps[-1].endpoint
        for _ in range(MOST_REDIRECTIONS):
            if reply.status not in REDIRECTIONS:
                break
            location = reply.header("location") or ""
            try:
                address = urljoin(address, location)
                parts = urlsplit(address)
            except ValueError:
                where = location.partition("?")[0][:SHOWN]
                self._note("redirected", self.steps[-1].endpoint, reply, f"the pull is to go on at {where}: no address")
                raise Failed from None
            reply = await self.egress.ask("GET", address)
            fine = reply.status == 200 or reply.status in REDIRECTIONS
            # Not the whole address: a signed one is as good as a password for a while.
            self._note("redirected", f"{parts.scheme}://{parts.netloc}", reply, "" if fine else _told(reply))
            if not fine:
                raise Failed
        if reply.status in REDIRECTIONS:
            fault = f"the pull was sent on more than {MOST_REDIRECTIONS} times"
            self._note("redirected", self.steps[-1].endpoint, reply, fault)
            raise Failed
        return reply

    async def _clean(self, image: Image) -> None:
        """What can't be deleted is left to the registry: many allow nobody to delete."""
        asked = [("abort", path, set(range(600))) for path in self.begun]
        if self.named:
            path = f"/v2/{self.repository}/manifests/{image.digest}"
            asked.append(("delete", path, {200, 202, 401, 403, 404, 405}))
        for name, path, good in asked:
            with suppress(Failed):
                await self._ask(name, "DELETE", path, good)

    async def _ask(
        self,
        name: str,
        method: str,
        path: str,
        good: set[int],
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        endpoint = (self.issuer, self.other)[self.turn % 2]
        self.turn += 1
        actions = "pull,push,delete" if method == "DELETE" else "pull,push"
        scopes = tuple(f"repository:{each}:{actions}" for each in (self.repository, f"{self.repository}-mount"))
        authorization, refused = await self.holder.header(self.issuer, scopes)
        if refused is not None:
            self._note("token", self.issuer, refused, _told(refused))
            raise Failed
        sent = dict(headers or {})
        if authorization:
            sent["authorization"] = authorization
        if body is None and method == "POST":
            body = b""
        reply = await self.egress.ask(method, endpoint + path, headers=sent, body=body)
        self._note(name, endpoint, reply, "" if reply.status in good else _told(reply))
        if reply.status not in good:
            raise Failed
        return reply

    def _note(self, name: str, endpoint: str, reply: Reply, fault: str) -> None:
        self.steps.append(Step(name, endpoint, reply.status, reply.seconds, fault))

    def _compare(self, name: str, reply: Reply, wanted: bytes) -> None:
        if reply.body != wanted:
            self._note(name, self.other, reply, f"{len(reply.body)} bytes came back that are not the ones pushed")
            raise Failed

    def _place(self, reply: Reply) -> str:
        """The path of an upload, which goes on at an endpoint that was named.

        A client goes where the Location leads: it must be the registry.
        """
        location = reply.header("location") or ""
        with suppress(ValueError):
            parts = urlsplit(location)
            if not parts.netloc or place(parts) in self.own:
                return parts.path + (f"?{parts.query}" if parts.query else "")
        where = location.partition("?")[0][:SHOWN]
        self._note("location", self.steps[-1].endpoint, reply, f"the upload is to go on at {where}")
        raise Failed


def pairs(endpoints: Sequence[str]) -> list[tuple[str, str]]:
    """Every endpoint with itself, and with every other one both ways."""
    return [(issuer, other) for issuer in endpoints for other in endpoints]


def _told(reply: Reply) -> str:
    if not reply.status:
        return f"{reply.trouble}: {reply.detail}"
    text = _explained(reply.body) or reply.body[:SHOWN].decode("utf-8", "replace")
    return f"{reply.status} {' '.join(text.split())}".strip()


def _explained(body: bytes) -> str:
    """What the registry says in words, by the specification's form of errors; empty where it says nothing so."""
    try:
        errors = json.loads(body)["errors"]
        told = [f"{error['code']}: {error['message']}" for error in errors if error["message"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return "; ".join(told)[:LONGEST]
