"""
How the SDK's requests travel: over urllib3, which `requests`, the SDK's own choice, is made of.

For every call `requests` reads the environment and `.netrc`, merges settings and keeps cookies, which is half of what a call costs; and it keeps
connections for each thread, where these are everybody's. Imported with the SDK, by the first call.
"""

import ssl
from collections.abc import Mapping
from typing import Any

import stripe
import urllib3
from requests.utils import get_environ_proxies

CONNECTIONS_KEPT = 16


def client_for(api_base: str, timeout_s: tuple[int, int]) -> stripe.HTTPClient:
    """`timeout_s`: to connect, and to answer. Where the environment names a proxy for the address, the SDK's own, which knows all about them."""
    if get_environ_proxies(api_base):
        return stripe.RequestsClient(timeout=timeout_s)
    return Urllib3Client(timeout_s)


class Urllib3Client(stripe.HTTPClient):
    """Thread-safe. Raises `stripe.APIConnectionError`, which the SDK repeats unless the certificate is at fault."""

    name = "urllib3"

    def __init__(self, timeout_s: tuple[int, int]) -> None:
        super().__init__()
        connect_s, read_s = timeout_s
        self._pool = urllib3.PoolManager(
            maxsize=CONNECTIONS_KEPT,
            retries=False,
            timeout=urllib3.Timeout(connect=connect_s, read=read_s),
            ca_certs=stripe.ca_bundle_path,
            cert_reqs=ssl.CERT_REQUIRED,
        )

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        sent = {**(headers or {}), "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
        body = post_data.encode() if isinstance(post_data, str) else post_data
        try:
            answer = self._pool.request(method.upper(), url, headers=sent, body=body, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            is_certificate = isinstance(error, urllib3.exceptions.SSLError)
            told = f"Unexpected error communicating with Stripe: {type(error).__name__}: {error}"
            raise stripe.APIConnectionError(told, should_retry=not is_certificate) from error  # type: ignore[no-untyped-call]
        return answer.data.decode(), answer.status, answer.headers

    def close(self) -> None:
        self._pool.clear()
