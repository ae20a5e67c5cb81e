"""Reading the hosted pages as a browser without a screen would."""

import re

import httpx


def token_in(page: httpx.Response) -> str:
    """The hidden field that every form carries."""
    found = re.search(r'name="token" value="([0-9a-f]{64})"', page.text)
    assert found is not None, page.text
    return found[1]


def refresh_in(page: httpx.Response) -> str:
    """Where the page leads by itself."""
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1].replace("&amp;", "&")
