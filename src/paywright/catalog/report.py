"""What a reader of a catalog found wrong, all of it at once. Pure."""

from typing import Any

import msgspec

from paywright.catalog.model import Problem
from paywright.kernel.refusals import Refusal

MALFORMED = "invalid_request"
"""The code of a value of the wrong JSON type, e.g. text where a list belongs: malformed (400), not a broken rule (422)."""

PROBLEM_CODES = frozenset(
    {
        "bad_id", "unknown_field", "unknown_item", "unknown_product_line", "unknown_product", "customer_type_mismatch", "customer_type_fixed",
        "no_amount", "unsupported_currency", "bad_amount", "bad_period", "bad_quantity", "trial_not_allowed", "two_defaults_in_line",
        "default_not_free", "default_item_never_expires", "add_on_cycle", "duplicate_stripe_price",
    }
)  # fmt: skip


class Report:
    """Collects problems in reading order; one problem per code and path."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._seen: set[tuple[str, str]] = set()

    def add(self, code: str, path: str, message: str) -> None:
        assert code in PROBLEM_CODES or code == MALFORMED, code
        if (code, path) not in self._seen:
            self._seen.add((code, path))
            self.problems.append(Problem(code, path, message))

    def malformed(self, path: str, message: str) -> None:
        self.add(MALFORMED, path, message)

    def refusal(self) -> Refusal | None:
        """None when nothing was found; 400 `invalid_request` when the shape is wrong, else 422 `invalid_catalog`. Both list every problem."""
        return refusal_of(self.problems)


def refusal_of(problems: list[Problem]) -> Refusal | None:
    if not problems:
        return None
    facts: dict[str, Any] = {"problems": [msgspec.to_builtins(problem) for problem in problems]}
    first_malformed = next((problem for problem in problems if problem.code == MALFORMED), None)
    if first_malformed is None:
        return Refusal("invalid_catalog", facts)
    return Refusal("invalid_request", {"reason": first_malformed.message, **facts}, first_malformed.path)
