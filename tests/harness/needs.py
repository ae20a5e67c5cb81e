"""
Skips are for a developer's machine. Where `PAYWRIGHT_TEST_REQUIRE` names a need, its absence fails the test instead.

The variable is a list with commas, as in `postgres,browser,node`; CI sets all of them.
"""

import os
from typing import Literal, NoReturn, get_args

import pytest

Need = Literal["postgres", "browser", "node"]

VARIABLE = "PAYWRIGHT_TEST_REQUIRE"


def required() -> frozenset[str]:
    named = frozenset(word.strip() for word in os.environ.get(VARIABLE, "").split(",") if word.strip())
    unknown = named - frozenset(get_args(Need))
    if unknown:
        raise pytest.UsageError(f"{VARIABLE} knows {', '.join(get_args(Need))}; not {', '.join(sorted(unknown))}")
    return named


def lacking(need: Need, reason: str) -> NoReturn:
    """Ends the test: skipped, or failed where the need is required."""
    if need in required():
        pytest.fail(f"{need} is required here: {reason}", pytrace=False)
    pytest.skip(f"no {need}: {reason}")
