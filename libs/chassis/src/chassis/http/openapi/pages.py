"""Swagger UI below `/schema`. All files are served here; the pages load nothing from other hosts."""

from importlib.util import find_spec
from pathlib import Path

from litestar import MediaType, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.params import FromPath

_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui-standalone-preset.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
_FILES_PACKAGE = "flask_swagger_ui"
_FILES_CACHED = {"Cache-Control": "public, max-age=86400"}


class SchemaPages(SwaggerRenderPlugin):
    """Swagger UI at `/schema` and `/schema/swagger`, with its files served beside it."""

    def __init__(self) -> None:
        super().__init__(
            js_url="/schema/assets/swagger-ui-bundle.js",
            css_url="/schema/assets/swagger-ui.css",
            standalone_preset_js_url="/schema/assets/swagger-ui-standalone-preset.js",
            favicon="<link rel='icon' href='data:,'>",
        )

    def receive_router(self, router: Router) -> None:
        """Add the route of the files."""
        super().receive_router(router)
        router.register(_asset)


@get("/assets/{name:str}", include_in_schema=False, media_type=MediaType.TEXT, sync_to_thread=False)
def _asset(name: FromPath[str]) -> Response[bytes]:
    if name not in _ASSETS:
        raise NotFoundException("there is no such file")
    return Response((_directory() / name).read_bytes(), media_type=_ASSETS[name], headers=_FILES_CACHED)


def _directory() -> Path:
    # Found without importing the package, which would import Flask.
    spec = find_spec(_FILES_PACKAGE)
    assert spec is not None, "a dependency of this package"
    assert spec.origin is not None, "a package with an __init__.py"
    return Path(spec.origin).parent / "dist"
