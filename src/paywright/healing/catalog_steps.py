"""The steps of a reconciliation that hold what the catalog pushed against what is at Stripe."""

import msgspec

from paywright.catalog import drift
from paywright.catalog.push import push
from paywright.healing.model import Difference, Place
from paywright.healing.run import Run, Step
from paywright.kernel.model import Json


def catalog(noun: drift.Noun) -> Step:
    """What we pushed, against what is there: in a full comparison each by itself, else what is marked. `fix` tells Stripe again."""

    def one_page(run: Run, place: Place) -> Place | None:
        is_light = run.held.wish.depth == "light"
        with run.app.database.read() as connection:
            ids = drift.pushed_after(connection, run.environment.id, noun, place.after or "", only_marked=is_light)
        run.counts[f"{noun}s"] += len(ids)
        for stripe_id in ids:
            found = _drifted(run, noun, stripe_id)
            left = _told_again(run, found) if found and run.held.wish.fix else {each.name: each.lines for each in found}
            lines = [
                Difference(
                    noun,
                    each.stripe_id,
                    str(line["field"]),
                    line["ours"],
                    line["stripe"],
                    fixed=line not in left.get(each.name, []),
                )
                for each in found
                for line in each.lines
            ]
            if lines:
                with run.app.work(run.environment.id) as work:
                    run.keep(work, lines)
        return msgspec.structs.replace(place, after=ids[-1]) if len(ids) == drift.ROWS_MAX else None

    return one_page


def _drifted(run: Run, noun: drift.Noun, stripe_id: str) -> list[drift.Drifted]:
    fetched = drift.fetch(run.app, run.environment, stripe_id, noun=noun)
    with run.app.work(run.environment.id) as work:
        found = drift.compared(work.connection, work.environment_id, fetched)
        if run.held.wish.fix:
            drift.apply(work, fetched)
    return found


def _told_again(run: Run, found: list[drift.Drifted]) -> dict[str, list[dict[str, Json]]]:
    """What still differs afterwards, by name: a price that was deleted there has another id by then."""
    push(run.app, run.environment.id, product_ids={each.name.partition(".")[0] for each in found})
    with run.app.database.read() as connection:
        return {each.name: each.lines for each in drift.marked(connection, run.environment.id)}
