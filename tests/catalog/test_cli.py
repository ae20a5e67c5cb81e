"""`paywright catalog`, on both databases."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from paywright.catalog.actions import apply
from paywright.catalog.from_file import apply_file, has_changed
from paywright.catalog.lint import lint
from paywright.catalog.loading import load
from paywright.catalog.model import Catalog
from paywright.catalog.parse import parse
from paywright.catalog.report import PROBLEM_CODES
from paywright.cli.catalog import group
from paywright.cli.starter import FRAMEWORKS, starter_files
from paywright.engine.app import App
from tests.catalog.conftest import ENVIRONMENT, SECRET, must, must_refuse, unused
from tests.catalog.documents import changed, full
from tests.house.trees import ROOT


@pytest.fixture
def shell(app: App, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `paywright catalog …` in an empty folder, on the environment `test`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAYWRIGHT_DATABASE_URL", database_url)
    monkeypatch.setenv("PAYWRIGHT_SECRET", SECRET)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(group, list(arguments), catch_exceptions=False)

    return run


def write(document: dict[str, Any], name: str = "catalog.json") -> None:
    Path(name).write_text(json.dumps(document), encoding="utf-8")


def test_the_whole_way_from_a_file_and_back(shell: Any) -> None:
    write(full())
    assert shell("lint").output == "Valid: 4 products, 2 items, 0 warnings.\n"
    assert "+ products.pro" in shell("diff").output
    applied = shell("apply")
    assert (applied.exit_code, applied.output.splitlines()[-1]) == (0, "Version 1 of `test` is in force now.")
    assert shell("diff").output == "No change: version 1 of `test` is this catalog.\n"
    assert shell("apply").output == "Version 1 of `test` was in force already.\n"
    assert shell("pull", "back.toml").exit_code == 0
    assert parse(load(Path("back.toml")), mode="test") == parse(full(), mode="test")


def test_a_catalog_with_problems_shows_them_all_and_ends_with_1(shell: Any) -> None:
    write({"products": {"-a": {}, "b": {"product_line": "none"}}})
    for command in ("lint", "diff", "apply"):
        told = shell(command)
        assert told.exit_code == 1
        assert "products.-a: bad_id" in told.stderr
        assert "products.b.product_line: unknown_product_line" in told.stderr
        answer = json.loads(shell(command, "--json").stdout)["error"]
        assert answer["code"] == "invalid_catalog"
        assert len(answer["facts"]["problems"]) == 2


def test_answers_in_json_when_asked(shell: Any) -> None:
    write(full())
    assert json.loads(shell("diff", "--json").stdout)["changed"] is True
    applied = json.loads(shell("apply", "--json").stdout)
    assert (applied["version"], applied["changed"], applied["pushed"]["problems"]) == (1, True, [])
    pulled = json.loads(shell("pull", "--json").stdout)
    assert pulled["document"]["products"].keys() == full()["products"].keys()
    write({"items": {"coins": {}}})
    assert json.loads(shell("lint", "--json").stdout)["warnings"][0]["code"] == "unused_item"


def test_called_wrongly_ends_with_2(shell: Any) -> None:
    assert shell("lint").exit_code == 2  # There is no file.
    assert shell("pull", "catalog.yaml").exit_code == 2


def test_a_file_that_is_not_there_ends_with_1(shell: Any) -> None:
    assert shell("lint", "nothing.toml").exit_code == 1


def test_an_edit_in_the_dashboard_is_overwritten_by_force_only(shell: Any, app: App) -> None:
    write(full())
    shell("apply")
    with app.work(ENVIRONMENT) as work:
        must(apply(work, changed("products.pro.display_name", "Gold"), is_in_use=unused, origin="dashboard"))
    refused = shell("apply")
    assert refused.exit_code == 1
    assert "dashboard" in refused.stderr
    assert json.loads(shell("apply", "--json").stdout)["error"]["code"] == "catalog_conflict"
    assert "Gold" in shell("pull").output
    assert shell("apply", "--force").output.splitlines()[-1] == "Version 3 of `test` is in force now."


def test_a_file_that_says_what_the_dashboard_says_is_no_conflict(shell: Any, app: App) -> None:
    with app.work(ENVIRONMENT) as work:
        must(apply(work, full(), is_in_use=unused, origin="dashboard"))
    write(full())
    assert shell("apply").exit_code == 0


def test_a_null_in_metadata_is_pulled_into_json(shell: Any) -> None:
    write({"products": {"a": {"metadata": {"client": {"b": None}}}}})
    shell("apply")
    assert shell("pull").exit_code == 1
    assert shell("pull", "back.json").exit_code == 0


def test_a_file_counts_as_changed_until_it_was_applied(app: App, tmp_path: Path) -> None:
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps(full()))
    assert has_changed(app, ENVIRONMENT, path)
    must(apply_file(app, ENVIRONMENT, path, is_in_use=unused))
    assert not has_changed(app, ENVIRONMENT, path)
    with app.work(ENVIRONMENT) as work:
        must(apply(work, {}, is_in_use=unused, origin="dashboard"))
    assert not has_changed(app, ENVIRONMENT, path)  # The edit stands until the file itself changes.
    path.write_text(json.dumps(changed("products.pack", ...)))
    assert has_changed(app, ENVIRONMENT, path)
    path.write_text(json.dumps({"products": {"-": {}}}))
    assert has_changed(app, ENVIRONMENT, path)
    must_refuse(apply_file(app, ENVIRONMENT, path, is_in_use=unused, force=True), "invalid_catalog")


@pytest.mark.parametrize("framework", [None, *FRAMEWORKS])
def test_a_starter_is_valid_and_without_a_warning(tmp_path: Path, framework: str | None) -> None:
    files = starter_files(framework)
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        if name.endswith(".py"):
            compile(text, name, "exec")
    catalog = parse(load(tmp_path / "catalog.toml"), mode="live")
    assert isinstance(catalog, Catalog)
    assert lint(catalog) == []


def test_the_guide_shows_valid_catalogs(tmp_path: Path) -> None:
    text = (ROOT / "docs/guides/catalog.md").read_text(encoding="utf-8")
    for fence, name in (("```toml\n", "catalog.toml"), ("```python\n", "catalog.py")):
        (tmp_path / name).write_text(text.partition(fence)[2].partition("```")[0], encoding="utf-8")
        catalog = parse(load(tmp_path / name), mode="test")
        assert isinstance(catalog, Catalog), catalog
        assert catalog.products


def test_every_problem_is_in_the_reference() -> None:
    text = (ROOT / "docs/reference/catalog.md").read_text(encoding="utf-8")
    assert [code for code in PROBLEM_CODES if f"`{code}`" not in text] == []
