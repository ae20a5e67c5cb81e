"""One request for a page and its answer, without a web framework in them."""

from typing import Any

import msgspec

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.refusals import Refusal
from paywright.pages import links, wording
from paywright.pages.links import Pass, Purpose


class Asked(msgspec.Struct, frozen=True):
    """`token` is the signed part of the address; `form` is empty for a GET. `named` are further words of the path."""

    app: App
    token: str
    query: dict[str, str]
    form: dict[str, str]
    named: dict[str, str]

    def place(self, purpose: Purpose) -> str:
        """The page's own address."""
        return f"{links.public_url(self.app.settings)}/{purpose}/{self.token}"


class Reply(msgspec.Struct, frozen=True):
    """A page, or with `location` the way to another one, or with `letter` the HTML of an e-mail, for the frame of a page that `has_frame`."""

    template: str = ""
    shown: dict[str, Any] = {}
    status: int = 200
    location: str | None = None
    letter: str | None = None
    has_frame: bool = False


OVER = Reply(
    "outcome.html",
    {
        "tone": "kind",
        "title": "This page's time is over",
        "text": "Its address is no longer good. Go back to where you came from and ask for a new one.",
    },
    404,
)


def opened(asked: Asked, purpose: Purpose) -> tuple[Environment, Pass] | None:
    """None: not an address of ours, or one whose time is over."""
    page = links.read(asked.app.settings, purpose, asked.token, wall=asked.app.wall())
    environment = None if page is None else asked.app.environment(page.environment_id)
    return None if page is None or environment is None else (environment, page)


def refused(refusal: Refusal, return_url: str | None) -> Reply:
    shown = {"tone": "kind", "title": "That is not possible", "text": wording.said(refusal), "return_url": return_url}
    return Reply("outcome.html", shown, refusal.status)
