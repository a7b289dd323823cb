"""All routes of the admin API, in the order of the document."""

from gemproxy.admin import audit, settings, streams
from gemproxy.admin.route import Route

ROUTES: tuple[Route, ...] = (*audit.ROUTES, *settings.ROUTES, *streams.ROUTES)
