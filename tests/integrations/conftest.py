"""`site`: the small app, running in each framework and on each kind of database; tests of a module share it, each with users of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paywright import Paywright
from tests.conftest import KINDS
from tests.harness import needs
from tests.harness.databases import PostgresDatabases, SqliteDatabases
from tests.harness.house import CATALOG, SECRET
from tests.integrations import sites
from tests.integrations.sites import Site


@pytest.fixture(scope="module", params=[f"{name}-{kind}" for name in sites.SERVED for kind in KINDS])
def site(
    request: pytest.FixtureRequest,
    sqlite_databases: SqliteDatabases,
    started_postgres: PostgresDatabases | str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    framework, _, kind = request.param.partition("-")
    folder: Path = tmp_path_factory.mktemp(framework)
    if kind == "sqlite":
        database = sqlite_databases.fresh(folder)
    elif isinstance(started_postgres, str):
        needs.lacking("postgres", started_postgres)
    else:
        database = started_postgres.fresh()
    with (
        database as url,
        Paywright(database_url=url, catalog=CATALOG, provider="instant", secret=SECRET) as pay,
        sites.SERVED[framework](pay) as address,
    ):
        secret, publishable = pay.create_key().key, pay.create_key("publishable").key
        assert secret is not None
        assert publishable is not None
        yield Site(framework, address, pay, secret, publishable)
