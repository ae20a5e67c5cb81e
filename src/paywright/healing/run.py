"""One reconciliation under way, as its steps see it."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.healing import reports
from paywright.healing.compare import look
from paywright.healing.model import Difference, Place
from paywright.healing.reports import Held
from paywright.storage.work import Work
from paywright.stripe.gateway import Gateway
from paywright.webhooks.model import Noun, Root

PAGE_SIZE = 100
OVERLAP_MS = 3_600_000
"""What was made so long before the last comparison began is looked at once more: it may not have been listed yet."""


class Run:
    """One reconciliation being carried on by this process."""

    def __init__(self, app: App, environment: Environment, held: Held, counts: Counter[str]) -> None:
        self.app, self.environment, self.held, self.counts = app, environment, held, counts

    @property
    def gateway(self) -> Gateway:
        return self.app.gateway(self.environment)

    @property
    def made_since(self) -> int | None:
        """Milliseconds of business time. None: from the very beginning."""
        wish = self.held.wish
        if wish.since is not None or wish.depth == "full":
            return wish.since
        with self.app.database.read() as connection:
            known = reports.cursor(connection, self.environment.id)
        return None if known is None or known.compared_until is None else int(known.compared_until) - OVERLAP_MS

    def keep(self, work: Work, lines: list[Difference]) -> None:
        reports.write_lines(work, self.held.id, lines)

    def look(self, noun: Noun, stripe_id: str) -> None:
        look(self.app, self.environment, Root(noun, stripe_id), fix=self.held.wish.fix, keep=self.keep)

    def read(self, statement: sa.Select[Any]) -> list[Any]:
        with self.app.database.read() as connection:
            return list(connection.execute(statement.limit(PAGE_SIZE)))


Step = Callable[[Run, Place], Place | None]
"""Does one page. Answers where the next one begins; None: the step is over."""
