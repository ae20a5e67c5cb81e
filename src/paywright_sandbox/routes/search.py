"""`/search` of seven kinds. What is younger than the setting `search_delay_s` is not found yet, as at Stripe."""

from itertools import islice

from ..errors import Json, invalid
from ..listing import limit_of
from ..machine.searching import FIELDS, read
from ..routing import Act, route
from ..work import Work, public

PATHS = {kind: f"{kind}s" for kind in FIELDS}


def searching(kind: str) -> Act:
    def search(work: Work, parameters: Json) -> Json:
        test = read(parameters["query"], kind)
        skipped = offset_of(parameters.get("page"))
        youngest = work.now - work.setting("search_delay_s")
        matching = (
            thing
            for thing in work.newest_first(kind)
            if not thing.get("deleted") and thing["created"] <= youngest and test(thing)
        )
        limit = limit_of(parameters)
        found = list(islice(matching, skipped, skipped + limit + 1))
        has_more = len(found) > limit
        return {
            "object": "search_result",
            "data": [public(thing) for thing in found[:limit]],
            "has_more": has_more,
            "next_page": str(skipped + limit) if has_more else None,
            "url": f"/v1/{PATHS[kind]}/search",
        }

    return search


def offset_of(page: str | None) -> int:
    if page is None:
        return 0
    if not (page.isascii() and page.isdigit() and len(page) < 10):
        raise invalid("Invalid page: use the `next_page` of the answer before.", param="page")
    return int(page)


for kind_ in FIELDS:
    route(f"GET /v1/{PATHS[kind_]}/search", acts_on="limit page query")(searching(kind_))
