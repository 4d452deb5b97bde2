"""The audit log, in both of Harbor's shapes: `/audit-logs`, and `/auditlog-exts` of Harbor 2.13 and newer."""

from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import ColumnElement, Connection, RowMapping, select

from mooring.access.permissions import Permission
from mooring.api import routing
from mooring.api.access import InNamedProject, Login
from mooring.api.fields import Shape
from mooring.api.paging import Whole
from mooring.api.visit import Visit
from mooring.cluster.clock import rfc3339
from mooring.database.pages import Page
from mooring.database.selection import Selection
from mooring.observe.audit import log
from mooring.observe.audit.tables import audit_log
from mooring.projects.standing import where_held
from mooring.projects.tables import projects

LIST, LIST_ALL = Permission("log", "list"), Permission("audit-log", "list")
EVENTS = (
    *("create_artifact", "delete_artifact", "create_tag", "delete_tag", "update_repository", "delete_repository"),
    *("create_project", "update_project", "delete_project"),
    *("create_project_member", "update_project_member", "delete_project_member"),
    *("create_user", "update_user", "delete_user", "create_robot", "update_robot", "delete_robot"),
    *("create_signing_key", "update_master_key", "update_configure"),
)
"""Each is an operation and a type of resource. Harbor's, without logins and pulls, and more."""

router = routing.router("auditlog")


class AuditLog(Shape):
    id: int
    username: str
    resource: str
    resource_type: str
    operation: str
    op_time: str


class AuditLogExt(AuditLog):
    operation_description: str
    operation_result: bool = True
    """What was refused is among the denials."""


class EventType(Shape):
    event_type: str


@router.get("/audit-logs")
async def list_audit_logs(listing: Whole, visit: Annotated[Visit, Depends(Login())]) -> list[AuditLog]:
    """Of the whole system to those who may, else of the projects whose log somebody may list."""
    return listing.answer(await visit.parts.database.read(_page, visit, listing.selected), _shape)


@router.get("/auditlog-exts")
async def list_audit_log_exts(listing: Whole, visit: Annotated[Visit, Depends(Login())]) -> list[AuditLogExt]:
    return listing.answer(await visit.parts.database.read(_page, visit, listing.selected), _shape_ext)


@router.get("/auditlog-exts/events", dependencies=[Depends(Login())])
async def list_event_types() -> list[EventType]:
    return [EventType(event_type=event) for event in EVENTS]


@router.get("/projects/{project_name}/logs")
async def list_project_logs(listing: Whole, visit: Annotated[Visit, Depends(InNamedProject(LIST))]) -> list[AuditLog]:
    return listing.answer(await visit.parts.database.read(log.page, listing.selected, _within(visit)), _shape)


@router.get("/projects/{project_name}/auditlog-exts")
async def list_project_log_exts(
    listing: Whole, visit: Annotated[Visit, Depends(InNamedProject(LIST))]
) -> list[AuditLogExt]:
    return listing.answer(await visit.parts.database.read(log.page, listing.selected, _within(visit)), _shape_ext)


def _page(connection: Connection, visit: Visit, selected: Selection) -> Page:
    if LIST_ALL in visit.standing.permissions:
        return log.page(connection, selected)
    held = where_held(connection, visit.subject, LIST, visit.parts.clock.now())
    return log.page(connection, selected, audit_log.c.project_id.in_(select(projects.c.id).where(held)))


def _within(visit: Visit) -> ColumnElement[bool]:
    return audit_log.c.project_id == visit.project_id


def _shape(row: RowMapping) -> AuditLog:
    return AuditLog(**_common(row))


def _shape_ext(row: RowMapping) -> AuditLogExt:
    return AuditLogExt(**_common(row), operation_description=row["description"])


def _common(row: RowMapping) -> dict[str, Any]:
    named = {name: row[name] for name in ("id", "username", "resource", "resource_type", "operation")}
    return {**named, "op_time": rfc3339(row["at"])}
