"""The login page and its routes: plain HTML of ours, so that it works without Gradio."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)

from coefvq.review import sign_in, users
from coefvq.review.access import LOCAL, Actor, Permission
from coefvq.review.sign_in import SignInRefused
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.forms import posted_fields
from reviewer_ui.markup import NOTHING, Markup, h
from reviewer_ui.theme import head
from reviewer_ui.who import (
    COOKIE,
    HEALTH_PATH,
    LOGIN_PATH,
    LOGOUT_PATH,
    PASSWORD_PATH,
    WHO_PATH,
    actor_of,
)


def who_chip(actor: Actor) -> Markup:
    """The page for leads and admins, who is signed in, and the way out."""
    link = h('<a class="quiet" href="/admin">Admin</a>') if actor.may(Permission.LEAD) else NOTHING
    if actor == LOCAL:  # nobody signs in
        return link
    return h(
        '<form class="who" method="post" action="{}">{}'
        '<a class="quiet name" href="{}" title="{}. Change your password">{}</a>'
        '<button type="submit" class="quiet">Sign out</button></form>',
        LOGOUT_PATH,
        link,
        PASSWORD_PATH,
        ", ".join(sorted(actor.roles)),
        actor.name,
    )


def local_path(wanted: str) -> str:
    """Where to go after signing in: a path of ours, else the first page.

    ``//host``, ``/\\host`` and anything with a scheme would lead to another site.
    """
    ours = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted
    if not ours or any(ord(letter) < 33 or ord(letter) == 127 for letter in wanted):
        return "/"
    return "/" if urlsplit(wanted).path in {LOGIN_PATH, LOGOUT_PATH, WHO_PATH} else wanted


def login_page(wanted: str, name: str = "", error: str = "", *, ask: bool = False) -> Markup:
    """The whole page; ``ask``: the browser may be signed in and has not said so."""
    alarm = h('<p class="login-error" id="login-error" role="alert">{}</p>', error)
    described = Markup(' aria-describedby="login-error"')
    return h(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign in · COEF-VQ '
        'Review</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        '{head}</head><body><main class="cv login">'
        '<form class="card" method="post" action="{path}"{ask}>'
        "<h1>COEF-VQ Review</h1>{alarm}"
        '<input type="hidden" name="next" value="{wanted}">'
        '<label for="login-user">Name</label>'
        '<input id="login-user" name="name" value="{name}" autocomplete="username"'
        ' autocapitalize="none" spellcheck="false" maxlength="64" required{user_focus}{described}>'
        '<label for="login-password">Password</label>'
        '<input id="login-password" name="password" type="password"'
        ' autocomplete="current-password" maxlength="1024" required{password_focus}{described}>'
        '<button id="login-submit" type="submit" class="primary">Sign in</button>'
        '<p class="muted">No account, or no way in? Ask an admin.</p></form></main></body></html>',
        head=Markup(head("base.css", "login.css", "shared.js", "login.js")),
        path=LOGIN_PATH,
        wanted=wanted,
        name=name,
        alarm=alarm if error else NOTHING,
        ask=h(' data-signed-in-goes-to="{}"', wanted) if ask else NOTHING,
        described=described if error else NOTHING,
        user_focus=NOTHING if name else Markup(" autofocus"),
        password_focus=Markup(" autofocus") if name else NOTHING,
    )


def _page(page: Markup, status: int = 200) -> Response:
    return HTMLResponse(page, status, {"cache-control": "no-store"})


def _with_cookie(request: Request, settings: Settings, wanted: str, token: str) -> Response:
    answer = RedirectResponse(wanted, 303)
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(settings.sign_in_max_s),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


def login_router(store: Store, settings: Settings) -> APIRouter:
    """Make the routes: login, logout, who is signed in, and whether the app is well."""
    router = APIRouter()

    @router.get(LOGIN_PATH)
    async def show(request: Request) -> Response:
        """The form; straight on where nobody is set up."""
        wanted = local_path(request.query_params.get("next", "/"))
        if not await run_in_threadpool(users.any_user, store):
            return RedirectResponse(wanted, 303)
        # A link from another site comes without the cookie, because that is SameSite=Strict.
        linked = request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}
        return _page(login_page(wanted, ask=linked))

    @router.post(LOGIN_PATH)
    async def enter(request: Request) -> Response:
        """Check name and password; the browser always gets a new token."""
        form = await posted_fields(request)
        name, wanted = form.get("name", "").strip(), local_path(form.get("next", "/"))
        try:
            token = await run_in_threadpool(
                sign_in.sign_in, store, settings, name, form.get("password", ""),
                replaces=request.cookies.get(COOKIE, ""),
            )  # fmt: skip
        except SignInRefused as error:
            return _page(login_page(wanted, name[:64], str(error)), 401)
        return _with_cookie(request, settings, wanted, token)

    @router.post(LOGOUT_PATH)
    async def leave(request: Request) -> Response:
        """End this browser's sign-in."""
        await run_in_threadpool(sign_in.sign_out, store, request.cookies.get(COOKIE, ""))
        answer = RedirectResponse(LOGIN_PATH, 303)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    @router.get(LOGOUT_PATH)
    async def stay() -> Response:
        """A link signs nobody out: without this, Gradio's own route of that name would answer."""
        return PlainTextResponse("Use the button.", 405, {"allow": "POST"})

    @router.get(WHO_PATH)
    async def me(request: Request) -> JSONResponse:
        """Who is signed in here; the door answers 401 where nobody is."""
        actor = actor_of(request)
        return JSONResponse({"name": actor.name, "roles": sorted(actor.roles)})

    @router.get(HEALTH_PATH)
    async def health() -> JSONResponse:
        """Answers once the store does: for watchdogs, without a sign-in."""
        await run_in_threadpool(users.any_user, store)
        return JSONResponse({"status": "ok"})

    return router
