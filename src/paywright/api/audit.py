"""Who did what, for operators."""

from paywright.api import parsing
from paywright.api.call import Answer, Call, listed
from paywright.api.parsing import Listing
from paywright.kernel.refusals import Refusal
from paywright.outbox import audit


class AuditListing(Listing, frozen=True, kw_only=True):
    """`action` such as `key.created`; `actor` an API key's id, `process`, `cli` or `system`; `subject` the id of what it was done to."""

    action: str | None = None
    actor: str | None = None
    subject: str | None = None


def list_audit(call: Call) -> Answer | Refusal:
    """Administrative acts, newest first: who did what to what, when, and in which request. No secrets."""
    query: AuditListing = call.query
    before = parsing.read_cursor(query.cursor)
    if isinstance(before, Refusal):
        return before
    with call.app.database.read() as connection:
        lines = audit.page(
            connection,
            call.environment.id,
            act=query.action,
            actor=query.actor,
            subject=query.subject,
            before=before,
            limit=query.limit + 1,
        )
    return listed(lines, limit=query.limit, cursor_of=lambda line: parsing.cursor_of(line.id), show=audit.shown)
