"""A browser without JavaScript: it follows links and sends the forms a page shows, with what the page filled in."""

import re
from html.parser import HTMLParser
from typing import Any

import httpx


class Form:
    def __init__(self, action: str, fields: dict[str, str]) -> None:
        self.action, self.fields = action, fields


class _Reading(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), {}))
        elif tag == "input" and self.forms and given.get("name"):
            if given.get("type") != "radio" or "checked" in given:
                self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "script" or any(name.startswith("on") for name in given):
            self.scripts += 1
        if tag in ("link", "img", "script"):
            self.loaded.append(given.get("href") or given.get("src") or "")


class Browser:
    """Keeps its cookies. `text` is what a person reads."""

    def __init__(self) -> None:
        self.http = httpx.Client(timeout=30, follow_redirects=False)
        self.page = _Reading()
        self.status = 0
        self.text = ""
        self.url = ""
        self.headers = httpx.Headers()

    def open(self, url: str) -> "Browser":
        return self._read(self.http.get(url))

    def send(self, **changed: str) -> "Browser":
        """The page's first form, with what the buyer changed. Redirects to this server are followed."""
        wanted = self.page.forms[0]
        url = str(httpx.URL(self.url).join(wanted.action)) if wanted.action else self.url.partition("?")[0]
        return self._read(self.http.post(url, data={**wanted.fields, **changed}))

    def leads_to(self) -> str:
        """Where a page that only leads on leads to."""
        found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', self.html)
        assert found, self.text
        return found[1].replace("&amp;", "&")

    def _read(self, answer: httpx.Response) -> "Browser":
        while answer.status_code == 303:
            answer = self.http.get(answer.headers["location"])
        self.status, self.url, self.html, self.headers = (
            answer.status_code,
            str(answer.url),
            answer.text,
            answer.headers,
        )
        self.page = _Reading()
        self.page.feed(answer.text)
        body = re.sub(r"<head>.*</head>", " ", answer.text, flags=re.DOTALL)
        self.text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)).strip()
        return self

    def close(self) -> None:
        self.http.close()


def url_of(answer: Any) -> str:
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])
