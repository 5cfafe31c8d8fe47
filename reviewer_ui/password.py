"""Where people change their own password: plain HTML like the login page."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from coefvq.errors import CoefVQError
from coefvq.review import sign_in
from coefvq.review.access import LOCAL, Actor
from coefvq.review.passwords import SHORTEST
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.forms import posted_fields
from reviewer_ui.markup import NOTHING, Markup, h, join
from reviewer_ui.theme import head
from reviewer_ui.who import COOKIE, PASSWORD_PATH, actor_of

FIELDS = (
    ("old", "Present password", "current-password"),
    ("new", "New password", "new-password"),
    ("again", "New password again", "new-password"),
)
NO_STORE = {"cache-control": "no-store"}


def password_page(actor: Actor, error: str = "", *, done: bool = False) -> Markup:
    """The whole page; after the change it says so."""
    inner = _done() if done else _fields(actor, error)
    return h(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Password · COEF-VQ '
        'Review</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        '{}</head><body><main class="cv login"><form class="card" method="post" action="{}">'
        "<h1>Your password</h1>{}</form></main></body></html>",
        Markup(head("base.css", "login.css", "shared.js")),
        PASSWORD_PATH,
        inner,
    )


def _done() -> Markup:
    return h(
        '<p id="password-done" role="status">It is changed. You are signed out in every other '
        'browser.</p><p><a href="/">Go on reviewing</a></p>'
    )


def _fields(actor: Actor, error: str) -> Markup:
    alarm = h('<p class="login-error" id="login-error" role="alert">{}</p>', error)
    rows = join(
        h(
            '<label for="password-{}">{}</label><input id="password-{}" name="{}" type="password"'
            ' autocomplete="{}" maxlength="1024" required{}>',
            name,
            label,
            name,
            name,
            complete,
            Markup(" autofocus") if name == "old" else NOTHING,
        )
        for name, label, complete in FIELDS
    )
    return h(
        '{}<input name="name" value="{}" autocomplete="username" hidden readonly>{}'
        '<button id="password-submit" type="submit" class="primary">Change it</button>'
        '<p class="muted">At least {} characters. <a href="/">Back</a></p>',
        alarm if error else NOTHING,
        actor.name,
        rows,
        SHORTEST,
    )


def password_router(store: Store, settings: Settings) -> APIRouter:
    """Make the routes: the form, and the change."""
    router = APIRouter()

    @router.get(PASSWORD_PATH)
    async def show(request: Request) -> Response:
        """The form; straight on where nobody signs in."""
        actor = actor_of(request)
        if actor == LOCAL:
            return RedirectResponse("/", 303)
        return HTMLResponse(password_page(actor), headers=NO_STORE)

    @router.post(PASSWORD_PATH)
    async def change(request: Request) -> Response:
        """Check the present password and take the new one."""
        actor, form = actor_of(request), await posted_fields(request)
        if actor == LOCAL:
            return RedirectResponse("/", 303)
        old, new, again = (form.get(name, "") for name, _, _ in FIELDS)
        if new != again:
            return HTMLResponse(
                password_page(actor, "The new password was not typed the same twice."), 400,
                NO_STORE,
            )  # fmt: skip
        token = request.cookies.get(COOKIE, "")
        try:
            await run_in_threadpool(
                sign_in.change_password, store, settings, actor, token, old, new
            )
        except CoefVQError as error:
            return HTMLResponse(password_page(actor, str(error)), 400, NO_STORE)
        return HTMLResponse(password_page(actor, done=True), headers=NO_STORE)

    return router
