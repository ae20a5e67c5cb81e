"""Readiness and honesty; neither needs a key."""

from ..fidelity import as_json
from ..web import WebAnswer, WebRequest, json_answer, page


@page("GET /_sandbox/health")
async def health(request: WebRequest) -> WebAnswer:
    return json_answer({"ready": True})


@page("GET /_sandbox/fidelity")
async def fidelity(request: WebRequest) -> WebAnswer:
    return json_answer(as_json())
