"""What a machine asks: alive, ready, how much; and the documents of the API itself."""

from paywright.api import docs
from paywright.api.call import Answer, Open, ok
from paywright.api.metrics import Metrics
from paywright.kernel.refusals import Refusal
from paywright.realtime.dispatcher import Dispatcher
from paywright.storage.migrate import SchemaOutdated, require_current

PLAIN = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}


def healthz(_call: Open) -> Answer:
    """The process answers."""
    return ok({"status": "ok"})


def readyz(call: Open) -> Answer | Refusal:
    """The database can be reached and is up to date; else 503."""
    try:
        require_current(call.app.database)
    except SchemaOutdated:
        return Refusal("unavailable")
    return ok({"status": "ready"})


def metrics(call: Open) -> Answer:
    """Counters of this process in Prometheus' text format. No customer shows in them."""
    gauges = {"paywright_open_streams": call.app.resource(Dispatcher).open_streams}
    return Answer(200, call.app.resource(Metrics).text(gauges).encode(), PLAIN)


def openapi_document(_call: Open) -> Answer:
    """This API as OpenAPI 3.1."""
    return ok(docs.openapi_document())


def docs_page(_call: Open) -> Answer:
    """The same, to read. It loads nothing from elsewhere."""
    return Answer(200, docs.page().encode(), docs.PAGE_HEADERS)


def docs_style(_call: Open) -> Answer:
    """The style of the page."""
    return Answer(200, docs.style().encode(), docs.STYLE_HEADERS)
