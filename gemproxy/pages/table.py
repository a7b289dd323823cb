"""All pages, in the order of the menu, and all forms."""

from gemproxy.pages import images, keys, models, projects, requests, settings, streams, users
from gemproxy.pages.overview import LIVE_SECONDS, overview, overview_now
from gemproxy.pages.page import Change, Page
from gemproxy.pages.story import story, story_now

PAGES: tuple[Page, ...] = (
    Page(
        "/",
        "Overview",
        "overview.html",
        overview,
        in_menu=True,
        live=overview_now,
        every=LIVE_SECONDS,
    ),
    Page(
        "/streams",
        "Streams",
        "streams.html",
        streams.listed,
        in_menu=True,
        live=streams.listed_now,
    ),
    Page("/requests", "Requests", "requests.html", requests.listed, in_menu=True),
    Page("/requests/{id}", "Request", "story.html", story, live=story_now),
    Page("/keys", "Keys", "keys.html", keys.listed, in_menu=True, live=keys.listed_now),
    Page("/keys/import", "Add several keys", "keys_import.html", keys.import_form),
    Page("/keys/{key}", "Key", "key.html", keys.one),
    Page(
        "/projects",
        "Projects",
        "projects.html",
        projects.heat,
        in_menu=True,
        live=projects.heat_now,
    ),
    Page("/users", "Access keys", "users.html", users.users, in_menu=True),
    Page("/users/{name}", "Access key", "user.html", users.user),
    Page("/users/{name}/revoke", "Revoke an access key", "user_revoke.html", users.asked),
    Page("/models", "Models and prices", "models.html", models.shown, in_menu=True),
    Page("/settings", "Settings", "settings.html", settings.settings, in_menu=True),
    Page("/settings/{path}", "Setting", "setting.html", settings.setting),
    Page("/images", "Images", "images.html", images.shown, in_menu=True),
    Page("/images/{image}", "Picture", "", images.seen),
)

CHANGES: tuple[Change, ...] = (
    Change("/streams/{id}/cancel", streams.cancel),
    Change("/requests/find", requests.find, "requests.html", "Requests"),
    Change("/keys/add", keys.add),
    Change("/keys/import", keys.import_, "keys_import.html", "Add several keys"),
    Change("/keys/check", keys.check_all),
    Change("/keys/selected/check", keys.check_selected),
    Change("/keys/selected/disable", keys.disable_selected),
    Change("/keys/selected/enable", keys.enable_selected),
    Change("/keys/selected/remove", keys.remove_selected),
    Change("/keys/{key}/check", keys.check),
    Change("/keys/{key}/disable", keys.disable),
    Change("/keys/{key}/enable", keys.enable),
    Change("/keys/{key}/remove", keys.remove),
    Change("/projects/{project}/check", keys.check_all),
    Change("/users", users.make, "user_key.html", "Access key"),
    Change("/users/{name}", users.alter, "user.html", "Access key"),
    Change("/users/{name}/rotate", users.turn, "user_key.html", "Access key"),
    Change("/users/{name}/revoke", users.end),
    Change("/settings/{path}", settings.change, "setting.html", "Setting"),
    Change("/settings/{path}/reset", settings.give_back),
    Change("/images/sweep", images.sweep_now),
    Change("/images/{image}/delete", images.forget),
)
