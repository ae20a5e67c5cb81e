"""
One try at one hook.

Outside test mode nothing is sent to a private address: the name is resolved here, every address it has is checked, and the connection is made to the
address that was checked, so that a name that changes its mind in between gains nothing. Redirects are not followed: one is a failed try.
"""

import time
from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook

from paywright.hooks.model import Attempt
from paywright.kernel.ids import wall_ms
from paywright.kernel.resolving import AddressRefused, checked_address

TIMEOUT_S = 15.0
ANSWER_BYTES_KEPT = 1_024


class Sender:
    """Keeps connections open between deliveries. Thread-safe; `close` it when done."""

    def __init__(self) -> None:
        self._client = httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)

    def send(self, url: str, secret: str, message_id: str, body: str, *, private_allowed: bool) -> Attempt:
        """Signs afresh and posts. Any 2xx within 15 s is a success; whatever else happens is told, never raised."""
        started, at = time.monotonic(), wall_ms()
        stamp = datetime.fromtimestamp(at // 1000, UTC)
        headers = {
            "content-type": "application/json",
            "user-agent": "Paywright",
            "webhook-id": message_id,
            "webhook-timestamp": str(at // 1000),
            "webhook-signature": Webhook(secret).sign(message_id, stamp, body),
        }
        try:
            name = httpx.URL(url)
            address = checked_address(name.host, name.port or (443 if name.scheme == "https" else 80), private_allowed)
            headers["host"] = name.netloc.decode()
            with self._client.stream(
                "POST",
                name.copy_with(host=address),
                content=body.encode(),
                headers=headers,
                extensions={"sni_hostname": name.host},
            ) as answer:
                kept = _first_bytes(answer, started)
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Attempt(at, None, _since(started), None, _named(error))
        return Attempt(at, status, _since(started), kept, None)

    def close(self) -> None:
        self._client.close()


def _first_bytes(answer: httpx.Response, started: float) -> str:
    """A hook that answers without end is cut off, and one that dribbles is not waited for longer than a hook may take."""
    kept = b""
    for piece in answer.iter_bytes():
        kept += piece
        if len(kept) >= ANSWER_BYTES_KEPT or time.monotonic() - started > TIMEOUT_S:
            break
    return kept[:ANSWER_BYTES_KEPT].decode("utf-8", "replace").replace("\x00", "")


def _named(error: Exception) -> str:
    if isinstance(error, AddressRefused):
        return "address_refused"
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    return type(error).__name__


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
