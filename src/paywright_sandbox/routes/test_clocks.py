"""Test clocks."""

from ..errors import Json
from ..listing import page
from ..machine import test_clocks
from ..routing import route
from ..work import Work


@route(
    "POST /v1/test_helpers/test_clocks",
    acts_on="customer frozen_time name",
    note="A customer who is billed already cannot be attached.",
)
def create(work: Work, parameters: Json) -> Json:
    return test_clocks.create(work, parameters)


@route("GET /v1/test_helpers/test_clocks/{test_clock}")
def retrieve(work: Work, parameters: Json, test_clock: str) -> Json:
    return work.require(test_clocks.KIND, test_clock, "test_clock")


@route(
    "POST /v1/test_helpers/test_clocks/{test_clock}/advance",
    acts_on="frozen_time",
    note="Arrives when it is asked for, or within a quarter of a second.",
)
def advance(work: Work, parameters: Json, test_clock: str) -> Json:
    return test_clocks.advance(work, test_clock, parameters["frozen_time"])


@route("DELETE /v1/test_helpers/test_clocks/{test_clock}")
def delete(work: Work, parameters: Json, test_clock: str) -> Json:
    return test_clocks.delete(work, test_clock)


@route("GET /v1/test_helpers/test_clocks", acts_on="ending_before limit starting_after")
def list_(work: Work, parameters: Json) -> Json:
    return page(work, test_clocks.KIND, parameters)
