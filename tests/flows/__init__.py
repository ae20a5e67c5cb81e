"""Stories over real HTTP. Modules that assert say what differed, as tests do."""

import pytest

pytest.register_assert_rewrite(*(f"tests.flows.{name}" for name in ("books", "sandbox", "server")))
