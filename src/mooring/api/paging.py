"""Harbor's paging: `page`, `page_size`, `q`, `sort`; `X-Total-Count` and `Link` in the answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, unquote_plus, urlencode

from fastapi import Depends, Query, Request, Response
from sqlalchemy import RowMapping

from mooring.api.answers import address
from mooring.database.pages import Page
from mooring.database.selection import AllOf, AnyOf, Exact, Fuzzy, Range, Selection, Test, field_name
from mooring.errors import Invalid

FARTHEST_PAGE = 10**9
MOST_TESTS = 20
MOST_VALUES = 100

T = TypeVar("T")

PageNumber = Annotated[int, Query(ge=1, le=FARTHEST_PAGE, description="Which page, from 1.")]
PageSize = Annotated[int, Query(ge=1, le=100, description="Rows on a page.")]
Search = Annotated[
    str | None,
    Query(
        max_length=2048,
        description="Tests apart by commas: `k=v`, `k=~part`, `k=[min~max]`, `k={any of}`, `k=(all of)`.",
    ),
]
Order = Annotated[str | None, Query(max_length=255, description="Fields apart by commas, `-` before a descending one.")]


@dataclass(frozen=True)
class Listing:
    """One request for a list, and the answer whose headers it sets."""

    request: Request
    response: Response
    selected: Selection

    def answer(self, page: Page, shape: Callable[[RowMapping], T]) -> list[T]:
        self.told(page.total)
        return [shape(row) for row in page.rows]

    def told(self, total: int) -> None:
        self.response.headers["x-total-count"] = str(total)
        links = []
        if self.selected.page > 1 and (self.selected.page - 1) * self.selected.size < total:
            links.append(self._link(self.selected.page - 1, "prev"))
        if self.selected.page * self.selected.size < total:
            links.append(self._link(self.selected.page + 1, "next"))
        if links:
            self.response.headers["link"] = " , ".join(links)

    def _link(self, page: int, relation: str) -> str:
        kept = _given(self.request, "page", "page_size")
        query = urlencode([*kept, ("page", page), ("page_size", self.selected.size)])
        return f'<{address(self.request)}?{query}>; rel="{relation}"'


def whole(
    request: Request,
    response: Response,
    q: Search = None,
    sort: Order = None,
    page: PageNumber = 1,
    page_size: PageSize = 10,
) -> Listing:
    """Raises Invalid."""
    return Listing(request, response, Selection(_tests(q or ""), _order(sort), page, page_size))


def paged(request: Request, response: Response, page: PageNumber = 1, page_size: PageSize = 10) -> Listing:
    """For the lists that Harbor neither filters nor sorts."""
    return Listing(request, response, Selection(page=page, size=page_size))


@dataclass(frozen=True)
class Chain:
    """A list in which each page is found by the last row of the one before: as fast at its end as at its beginning.

    Nothing is counted, so that there is no `X-Total-Count`.
    """

    request: Request
    response: Response
    selected: Selection
    after: str

    def answer(self, found: Sequence[Mapping[Any, Any]], shape: Callable[[Mapping[Any, Any]], T]) -> list[T]:
        """`found` is one row more than a page where another page follows; each has its place as `id`."""
        page = found[: self.selected.size]
        if len(found) > len(page):
            given = _given(self.request, "after")
            query = urlencode([*given, ("after", page[-1]["id"])])
            self.response.headers["link"] = f'<{address(self.request)}?{query}>; rel="next"'
        return [shape(row) for row in page]


def chained(
    request: Request,
    response: Response,
    q: Search = None,
    sort: Order = None,
    page_size: PageSize = 10,
    after: Annotated[
        str,
        Query(pattern="^[0-9a-f]{0,32}$", description="Id of the last row that was seen; the next page's Link has it."),
    ] = "",
) -> Chain:
    """Raises Invalid."""
    return Chain(request, response, Selection(_tests(q or ""), _order(sort), size=page_size), after)


Whole = Annotated[Listing, Depends(whole)]
Paged = Annotated[Listing, Depends(paged)]
Chained = Annotated[Chain, Depends(chained)]


def _given(request: Request, *but: str) -> list[tuple[str, str]]:
    given = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return [(name, value) for name, value in given if name not in but]


def _order(sort: str | None) -> tuple[tuple[str, bool], ...]:
    return tuple((key.removeprefix("-"), key.startswith("-")) for key in (sort or "").split(",") if key)


def _tests(q: str) -> tuple[tuple[str, Test], ...]:
    # Harbor decodes once more, and its clients count on it (src/lib/q/builder.go, parseKeywords).
    try:
        text = unquote_plus(q, errors="strict")
    except UnicodeDecodeError as error:
        raise Invalid("q is not percent-encoded UTF-8.") from error
    found = []
    for part in text.split(",") if text else []:
        key, _, value = part.partition("=")
        if not key or not value or "\0" in part:
            raise Invalid("q is made of KEY=VALUE, apart by commas.")
        found.append((field_name(key), _test(value)))
    if len(found) > MOST_TESTS:
        raise Invalid(f"q has at most {MOST_TESTS} tests.")
    return tuple(found)


def _test(value: str) -> Test:
    match value[0], value[-1]:
        case ("~", _) if len(value) > 1:
            return Fuzzy(value[1:])
        case ("[", "]") if value.count("~") == 1:
            low, high = (_value(end) for end in value[1:-1].split("~"))
            if low or high:
                return Range(low or None, high or None)
        case ("{", "}"):
            return AnyOf(_values(value))
        case ("(", ")"):
            return AllOf(_values(value))
        case (first, _) if first not in "~[{(":
            return Exact(value.removeprefix("\\"))
    raise Invalid("A value in q is v, ~part, [min~max], {any of} or (all of).")


def _values(value: str) -> tuple[str, ...]:
    found = tuple(filter(None, map(_value, value[1:-1].split(" "))))
    if len(found) > MOST_VALUES:
        raise Invalid(f"A list in q has at most {MOST_VALUES} values.")
    return found


def _value(text: str) -> str:
    return text.strip().strip("\"'")
