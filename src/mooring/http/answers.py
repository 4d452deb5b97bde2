"""The one place where errors become HTTP answers, for every API: `{"errors": [{code, message, detail}]}`."""

import json

from starlette.responses import Response

from mooring.errors import MooringError
from mooring.refusals import Refused


def answer(error: MooringError, request_id: str, replica: str) -> Response:
    status = error.answer_status if isinstance(error, Refused) else error.status
    body = {
        "errors": [
            {
                "code": _code(error, status),
                "message": _message(error, request_id),
                **_detail(error, request_id, replica),
            }
        ]
    }
    headers = {**error.headers, "cache-control": "no-store"}
    return Response(json.dumps(body), status, headers, "application/json")


def _code(error: MooringError, status: int) -> str:
    return error.ruling.code if isinstance(error, Refused) else error.code


def _message(error: MooringError, request_id: str) -> str:
    return error.sentence(request_id) if isinstance(error, Refused) else error.text


def _detail(error: MooringError, request_id: str, replica: str) -> dict[str, object]:
    if isinstance(error, Refused):
        return {
            "detail": {
                "reason": error.reason,
                "request_id": request_id,
                "replica": replica,
                "explanation": error.text,
            }
        }
    return {"detail": dict(error.detail)} if error.detail is not None else {}
