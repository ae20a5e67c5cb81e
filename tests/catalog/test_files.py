"""Catalog files: read, written, and read again."""

from pathlib import Path
from typing import Any

import pytest

from paywright.catalog.loading import CatalogFileUnreadable, find, load
from paywright.catalog.model import Catalog
from paywright.catalog.parse import parse
from paywright.catalog.versions import catalog_hash
from paywright.catalog.writing import FORMATS, NotWritable, document_of, text_of
from tests.catalog.documents import full

TOML = """
[items.credits]
display_name = "Credits"

[products.pro]
trial = "14 days"
included_items.credits = { quantity = 100, repeat = "month" }

[products.pro.prices.monthly]
amounts = { usd = "19.99", jpy = 3000 }
interval = "month"
"""


def parsed(document: Any) -> Catalog:
    catalog = parse(document, mode="test")
    assert isinstance(catalog, Catalog), catalog
    return catalog


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_toml_file_has_the_names_of_the_wire(tmp_path: Path) -> None:
    pro = parsed(load(written(tmp_path, "catalog.toml", TOML))).products["pro"]
    assert (pro.prices["monthly"].amounts, pro.trial) == ({"usd": 1999, "jpy": 3000}, "14 day")


@pytest.mark.parametrize(
    "text",
    ['catalog = {"items": {"credits": {}}}', 'items = {name: {} for name in ["credits"]}\nlimit = 3'],
)
def test_a_python_file_defines_the_catalog_or_its_parts(tmp_path: Path, text: str) -> None:
    assert load(written(tmp_path, "catalog.py", text)) == {"items": {"credits": {}}}


def test_a_json_file_is_read_too(tmp_path: Path) -> None:
    assert load(written(tmp_path, "catalog.json", '{"items": {}}')) == {"items": {}}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("catalog.toml", "[items\n[products]", "line 1"),
        ("catalog.json", "{", "line 1"),
        ("catalog.py", "catalog = nothing", "NameError"),
        ("catalog.py", "other = {}", "neither `catalog` nor"),
        ("catalog.yaml", "", ".toml, .py or .json"),
        ("catalog.toml", None, "No such file"),
        ("catalog.py", None, "no such file"),
    ],
)
def test_an_unreadable_file_is_named_with_its_reason(tmp_path: Path, name: str, text: str | None, says: str) -> None:
    if text is not None:
        written(tmp_path, name, text)
    with pytest.raises(CatalogFileUnreadable) as raised:
        load(tmp_path / name)
    assert name in str(raised.value)
    assert says in str(raised.value)


def test_a_toml_fraction_is_refused_as_an_amount_with_advice(tmp_path: Path) -> None:
    refusal = parse(load(written(tmp_path, "catalog.toml", TOML.replace('"19.99"', "19.99"))), mode="test")
    assert not isinstance(refusal, Catalog)
    assert [each["code"] for each in refusal.facts["problems"]] == ["bad_amount"]
    assert '"19.99"' in refusal.facts["problems"][0]["message"]


def test_the_catalog_is_found_by_name(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    other = written(tmp_path, "catalog.py", "catalog = {}")
    assert find(tmp_path) == other
    toml = written(tmp_path, "catalog.toml", "")
    assert find(tmp_path) == toml
    assert find(tmp_path, "shop/products.toml") == tmp_path / "shop/products.toml"


AWKWARD: dict[str, Any] = {
    "items": {"prices": {}, "metadata": {"display_name": 'A "quoted" \\ name'}, "items": {"customer_type": "team"}},
    "products": {
        "amounts": {
            "prices": {"amounts": {"amounts": {"jpy": 0, "usd": 5}}, "once": {"amounts": {"eur": "1"}, "server_only": True}},
            "included_items": {"prices": {"quantity": 1, "repeat": "2 weeks", "expires": "never"}},
            "metadata": {"client": {"a b": [1, 2.5, "x", {"y": True}], "ä": {}}, "server": {"n": {"m": -1}}},
        },
        "empty": {},
        "prices": {"add_on_to": ["amounts", "empty"], "ends_with_base": False},
    },
}  # fmt: skip


@pytest.mark.parametrize("document", [full(), AWKWARD, {}])
@pytest.mark.parametrize("written_as", FORMATS)
def test_what_is_written_reads_back_the_same(tmp_path: Path, document: dict[str, Any], written_as: str) -> None:
    catalog = parsed(document)
    text = text_of(document_of(catalog), written_as)
    again = parsed(load(written(tmp_path, f"catalog.{written_as}", text)))
    assert again == catalog
    assert catalog_hash(again) == catalog_hash(catalog)


def test_what_is_written_leaves_defaults_out() -> None:
    assert document_of(parsed(full()))["products"]["support"] == {
        "add_on_to": ["pro"],
        "prices": {"monthly": {"amounts": {"usd": "5.00"}, "interval": "1 month"}},
    }


def test_a_null_in_metadata_needs_another_format_than_toml() -> None:
    document = document_of(parsed({"products": {"a": {"metadata": {"client": {"b": None}}}}}))
    with pytest.raises(NotWritable):
        text_of(document, "toml")
    assert "null" in text_of(document, "json")
