"""Whatever is sent: an answer, never an exception; and whatever is accepted reads back the same."""

import json
import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from paywright.catalog.diff import diff
from paywright.catalog.model import Catalog
from paywright.catalog.parse import parse, parse_inline, sent_version
from paywright.catalog.versions import catalog_hash
from paywright.catalog.views import public_products, wire
from paywright.catalog.writing import document_of, text_of
from paywright.kernel.money import CURRENCIES, ZERO_DECIMAL
from paywright.kernel.refusals import Refusal
from tests.catalog.documents import full

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document, deepest last."""
    found = [path]
    if isinstance(document, dict):
        for name, value in document.items():
            found += places(value, (*path, name))
    return found


PLACES = places(full())[1:]


@given(st.lists(st.tuples(st.sampled_from(PLACES), anything), min_size=1, max_size=3))
def test_any_document_is_a_catalog_or_a_refusal_with_problems(edits: list[tuple[tuple[Any, ...], Any]]) -> None:
    document = full()
    for (*parents, last), value in edits:
        place: Any = document
        for name in parents:
            place = place.get(name) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place[last] = value
    outcome = parse(document, mode="test")
    if isinstance(outcome, Refusal):
        assert outcome.code in ("invalid_catalog", "invalid_request")
        assert outcome.facts["problems"]
        json.dumps(outcome.facts)
    else:
        assert parse(wire(outcome), mode="test") == outcome
        public_products(outcome)


@given(anything)
def test_anything_at_all_gets_an_answer(document: Any) -> None:
    assert isinstance(parse(document, mode="live"), Catalog | Refusal)
    parse_inline(document, Catalog(), mode="test")
    sent_version(document)


ids = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9_-]{0,9}", fullmatch=True).filter(
    lambda each: not each.startswith("own_") and each not in ("__proto__", "prototype", "constructor")
)
names = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=20)
amounts = st.dictionaries(st.sampled_from(sorted(CURRENCIES)), st.integers(0, 99_999_999), min_size=1, max_size=3)
periods = st.builds("{} {}".format, st.integers(1, 3), st.sampled_from(["day", "week", "month", "year"]))
json_values = st.recursive(
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
prices = st.fixed_dictionaries({"amounts": amounts}, optional={"interval": periods, "server_only": st.booleans()})


@st.composite
def valid_documents(draw: st.DrawFn) -> dict[str, Any]:
    items = draw(st.dictionaries(ids, st.fixed_dictionaries({}, optional={"display_name": names}), max_size=3))
    included = st.fixed_dictionaries(
        {"quantity": st.integers(1, 2**53 - 1)},
        optional={"repeat": periods, "expires": st.sampled_from(["never", "when_repeated", "when_purchase_expires"])},
    )
    product = st.fixed_dictionaries(
        {},
        optional={
            "display_name": names,
            "stackable": st.booleans(),
            "prices": st.dictionaries(ids, prices, max_size=3),
            "included_items": st.dictionaries(st.sampled_from(sorted(items)), included, max_size=2)
            if items
            else st.just({}),
            "metadata": st.dictionaries(
                st.sampled_from(["client", "client_read_only", "server"]),
                st.dictionaries(st.text(max_size=5), json_values, max_size=3),
            ),
        },
    )
    return {"items": items, "products": draw(st.dictionaries(ids, product, max_size=3))}


@given(valid_documents())
def test_a_valid_catalog_survives_every_format(document: dict[str, Any]) -> None:
    catalog = parse(document, mode="test")
    assert isinstance(catalog, Catalog), catalog
    for again in (
        parse(tomllib.loads(text_of(document_of(catalog), "toml")), mode="test"),
        parse(json.loads(text_of(document_of(catalog), "json")), mode="test"),
    ):
        assert again == catalog
        assert isinstance(again, Catalog)
        assert catalog_hash(again) == catalog_hash(catalog)
        assert diff(catalog, again) == []


@given(st.sampled_from(sorted(CURRENCIES)), st.integers(0, 99_999_999))
def test_an_amount_written_as_text_is_the_same_amount(currency: str, amount: int) -> None:
    written = str(amount) if currency in ZERO_DECIMAL else f"{amount // 100}.{amount % 100:02d}"
    catalog = parse({"products": {"a": {"prices": {"b": {"amounts": {currency: written}}}}}}, mode="test")
    assert isinstance(catalog, Catalog), catalog
    assert catalog.products["a"].prices["b"].amounts == {currency: amount}
