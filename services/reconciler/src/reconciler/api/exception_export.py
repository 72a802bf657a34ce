"""Route of the export: exactly the exceptions of a filter or view, as CSV or NDJSON (REC-9d)."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Literal

from litestar import get
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response import Stream

from chassis import clock
from chassis.http.openapi.problems import refuses
from chassis.postgres import Database
from chassis.postgres.read_pool import READ_REFUSALS
from reconciler.api.exception_chunks import export_chunks
from reconciler.api.exception_filter import SELECTION_REFUSALS
from reconciler.domain.clocks import Reading, Targets
from reconciler.domain.filters import ExceptionFilter
from reconciler.handlers import queries

Format = Annotated[Literal["csv", "ndjson"], QueryParameter(name="format")]
_MEDIA_TYPES = {"csv": "text/csv; charset=utf-8; header=present", "ndjson": "application/x-ndjson"}


@get(
    "/api/exceptions/export",
    summary="All exceptions of a filter or view, as CSV or NDJSON",
    media_type="text/csv",
    response_headers=[ResponseHeader("Content-Disposition", documentation_only=True, required=True)],
    responses={200: ResponseSpec(str, media_type="text/csv", generate_examples=False)},
    opt=refuses({**SELECTION_REFUSALS, **READ_REFUSALS}),
)
async def export_exceptions(
    exports: NamedDependency[Database],
    targets: NamedDependency[Targets],
    selected: NamedDependency[ExceptionFilter],
    form: Format = "csv",
) -> Stream:
    """Stream the exceptions in the order of the list, of one moment.

    NDJSON has the items of the list, one a line. In CSV, texts that a spreadsheet would execute begin with an
    apostrophe. An export that breaks off ends without the last chunk of HTTP.
    """
    now = clock.now()
    reading = Reading(now, targets)
    chunks = export_chunks(queries.export_exceptions(exports, selected, reading), reading, form)
    first = await anext(chunks, b"")  # an error before the first chunk is still answered as a problem
    name = f"exceptions-{now:%Y-%m-%dT%H-%M-%SZ}.{form}"
    return Stream(
        _after(first, chunks),
        media_type=_MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _after(first: bytes, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(chunks):
        yield first
        async for chunk in chunks:
            yield chunk
