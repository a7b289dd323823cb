"""All routes of the admin API, in the order of the document."""

from gemproxy.admin import (
    audit,
    checks,
    database,
    earlier,
    images,
    keys,
    models,
    openapi,
    projects,
    requests,
    settings,
    stats,
    streams,
    system,
    usage,
    users,
)
from gemproxy.admin.route import Route

ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/openapi.json",
        openapi.openapi,
        "The document of this API, in OpenAPI 3.1.",
        openapi.Document,
    ),
    *keys.ROUTES,
    *checks.ROUTES,
    *projects.ROUTES,
    *audit.ROUTES,
    *settings.ROUTES,
    *earlier.ROUTES,
    *streams.ROUTES,
    *usage.ROUTES,
    *requests.ROUTES,
    *stats.ROUTES,
    *database.ROUTES,
    *users.ROUTES,
    *models.ROUTES,
    *images.ROUTES,
    *system.ROUTES,
)
