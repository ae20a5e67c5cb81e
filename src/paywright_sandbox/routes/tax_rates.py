"""Tax rates, which act on invoices, their items and subscriptions."""

from ..account import copied
from ..attributes import take, take_metadata
from ..errors import Json, invalid
from ..listing import page
from ..objects.tax_rates import tax_rate
from ..routing import route
from ..work import Work

WRITTEN = "active country description display_name jurisdiction metadata state tax_type"
PERCENT_MAX = 100


@route("POST /v1/tax_rates", acts_on=f"{WRITTEN} inclusive percentage")
def create(work: Work, parameters: Json) -> Json:
    percentage = parameters["percentage"]
    if not 0 <= percentage <= PERCENT_MAX:
        raise invalid("percentage must be between 0 and 100.", param="percentage")
    made = tax_rate(
        work.new_id("tax_rate"),
        work.now,
        display_name=parameters["display_name"],
        percentage=percentage,
        inclusive=parameters["inclusive"],
    )
    apply(made, parameters)
    work.save(made)
    work.emit("tax_rate.created", made)
    return made


def apply(made: Json, wish: Json) -> None:
    take(made, wish, *(name for name in WRITTEN.split() if name != "metadata"))
    take_metadata(made, wish)


@route("GET /v1/tax_rates/{tax_rate}")
def retrieve(work: Work, parameters: Json, tax_rate: str) -> Json:
    return work.require("tax_rate", tax_rate, "tax_rate")


@route("POST /v1/tax_rates/{tax_rate}", acts_on=WRITTEN)
def update(work: Work, parameters: Json, tax_rate: str) -> Json:
    found = work.require("tax_rate", tax_rate, "tax_rate")
    before = copied(found)
    apply(found, parameters)
    work.save(found)
    work.emit_updated("tax_rate.updated", found, before)
    return found


@route("GET /v1/tax_rates", acts_on="active created ending_before inclusive limit starting_after")
def list_(work: Work, parameters: Json) -> Json:
    return page(work, "tax_rate", parameters, "active", "inclusive")
