"""The one style sheet."""

from pathlib import Path

from ..web import WebAnswer, WebRequest, page

STYLE = Path(__file__).with_name("sandbox.css")


@page("GET /assets/sandbox.css")
async def style(request: WebRequest) -> WebAnswer:
    headers = {"Content-Type": "text/css; charset=utf-8", "Cache-Control": "max-age=300"}
    return WebAnswer(200, STYLE.read_bytes(), headers)
