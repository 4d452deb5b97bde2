"""Answers to what is no request: the application never sees it."""

import json

from mooring.errors import MooringError
from mooring.server.head import head


def refusal(error: MooringError) -> bytes:
    body = json.dumps({"errors": [{"code": error.code, "message": error.text, "detail": {}}]}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return head(error.status, headers, b"connection: close\r\n") + body
