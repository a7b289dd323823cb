"""Which targets mean the admin API."""

import pytest

from gemproxy.admin.paths import is_admins


@pytest.mark.parametrize(
    "path",
    [
        *("/admin", "/admin/", "/admin/api/v1/keys", "/ADMIN/api", "//admin", "///admin//api"),
        *("/admin%2Fapi", "/%61dmin", "/%2561dmin", "/adm%2569n", "/admin%252fapi", "/\\admin"),
        *("/v1beta/../admin", "/v1beta/%2e%2e/admin", "/./admin", "/gateway/admin/api/v1/keys"),
        *(
            "/admin:generateContent",
            "/admin;x=1",
            "/admin.json",
            "/admin%00",
            "/admin%20",
            "/.admin",
        ),
        *("/v1beta/models/../admin/api", "/v1beta/admin", "/admin/api/v1/keys:generateContent"),
    ],
)
def test_every_spelling_means_it(path: str) -> None:
    assert is_admins(path)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/v1beta/models", "/v1beta/models/gemini-test:generateContent", "/administrator"),
        *("/v1beta/files/admin", "/v1beta/models/admin:generateContent", "/v1beta/admin-tools"),
        *(
            "/v1beta/files/./admin",
            "/v1beta/tunedModels/admin",
            "/v1beta/files/my%2Dfile",
            "/badmin",
        ),
    ],
)
def test_other_paths_do_not(path: str) -> None:
    assert not is_admins(path)
