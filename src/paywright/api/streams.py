"""The stream's row in the route table; `streaming.py` answers it in front of the router."""

from paywright.api.call import Call
from paywright.kernel.refusals import Refusal


def read_stream(_call: Call) -> Refusal:
    """
    Server-sent events: a `snapshot` of the state, then a `change` per commit, each with the version as its id.

    `Last-Event-ID` resumes. Read it with `fetch`: a token never travels in a URL.
    """
    # Reached only through doors that answer in the request's own thread; the others stream in front of the router.
    return Refusal("cannot_stream")
