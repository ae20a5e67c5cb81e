"""
The ledger as anybody would explain it: unit by unit, tick by tick. Slow, and obviously right.

Every unit is an object that knows when it is lost. Spending is a number of spent units, laid anew over the living ones, soonest lost first, whenever
anybody asks. Time goes in half days; in each tick grants come first, then what people do, then hold timeouts, then losses.
"""

from dataclasses import dataclass, field, replace

TICK = 43_200_000
FOREVER = 10**9
UNKNOWN = FOREVER - 1


@dataclass
class Unit:
    """`grant` numbers what was handed over together."""

    dies_at: int
    own: str | None = None
    grant: int = 0
    is_carried_by: str | None = None


@dataclass
class Plan:
    """`every` ticks apart, or once (None)."""

    own: str
    quantity: int
    every: int | None
    expires: str
    start: int
    ends_at: int = UNKNOWN
    turn: int = 0

    def next_repeat(self) -> int:
        return FOREVER if self.every is None else self.start + (self.turn + 1) * self.every


@dataclass
class Held:
    name: str
    quantity: int
    until: int
    opened: int


@dataclass
class Reference:
    tick: int = 0
    units: list[Unit] = field(default_factory=list)
    spent: int = 0
    plans: list[Plan] = field(default_factory=list)
    holds: list[Held] = field(default_factory=list)
    carried: list[Unit] = field(default_factory=list)
    grants: int = 0

    @property
    def balance(self) -> int:
        return len(self.units) + len(self.carried) - self.spent

    @property
    def held(self) -> int:
        return sum(hold.quantity for hold in self.holds)

    @property
    def quantity(self) -> int:
        return self.balance - self.held

    def advance(self, ticks: int) -> None:
        for _ in range(ticks):
            self._end_tick()
            self.tick += 1
            self._begin_tick()

    def seen(self) -> tuple[int, int]:
        """(quantity, held) as a read shows it: the tick's losses applied."""
        later = self._copied()
        later._end_tick()
        return later.quantity, later.held

    def _copied(self) -> "Reference":
        units, carried = [replace(unit) for unit in self.units], [replace(unit) for unit in self.carried]
        return replace(self, units=units, carried=carried, plans=list(self.plans), holds=list(self.holds))

    def _begin_tick(self) -> None:
        for plan in sorted(self.plans, key=lambda plan: plan.own):
            if plan.next_repeat() == self.tick < plan.ends_at:
                plan.turn += 1
                self._give_turn(plan)

    def _end_tick(self) -> None:
        for hold in [hold for hold in self.holds if hold.until == self.tick]:
            self.release(hold.name)
        self._lose([unit for unit in self.units if unit.dies_at == self.tick])
        self.plans = [plan for plan in self.plans if plan.ends_at > self.tick]

    def _give_turn(self, plan: Plan) -> None:
        dies_at = plan.ends_at
        if plan.expires == "never":
            dies_at = FOREVER
        elif plan.expires == "when_repeated" and plan.every is not None:
            dies_at = min(plan.next_repeat(), plan.ends_at)
        self._give(plan.quantity, dies_at, plan.own)

    def _give(self, quantity: int, dies_at: int, own: str | None = None) -> None:
        self.grants += 1
        for _ in range(quantity):
            if self.balance < 0:
                self.spent -= 1  # This unit pays debt, and both are gone for good.
            else:
                self.units.append(Unit(dies_at, own, self.grants))

    def _lose(self, dying: list[Unit]) -> None:
        """Spent units among the dying were spent in time; of the others holds carry what they can."""
        alive = [unit for unit in self.units if unit not in dying]
        laid = [*dying, *sorted(alive, key=lambda unit: unit.dies_at)][: self.spent]
        for unit in dying:
            self.units.remove(unit)
            if any(unit is one for one in laid):
                self.spent -= 1
                continue
            for hold in sorted(self.holds, key=lambda hold: hold.opened):
                mine = [one for one in self.carried if one.is_carried_by == hold.name]
                if len(mine) < hold.quantity:
                    unit.is_carried_by = hold.name
                    self.carried.append(unit)
                    break

    # What people do

    def grant(self, quantity: int, dies_at: int) -> None:
        if dies_at > self.tick:
            self._give(quantity, dies_at)

    def decrease(self, quantity: int, *, allow_negative: bool) -> bool:
        if self.quantity < quantity and not allow_negative:
            return False
        self.spent += quantity
        return True

    def hold(self, name: str, quantity: int, until: int) -> bool:
        if self.quantity < quantity:
            return False
        self.holds.append(Held(name, quantity, until, len(self.holds) + self.tick * 1000))
        return True

    def capture(self, name: str, quantity: int) -> bool:
        hold = next((hold for hold in self.holds if hold.name == name), None)
        if hold is None or quantity > hold.quantity:
            return False
        for _ in range(quantity):
            mine = [unit for unit in self.carried if unit.is_carried_by == name]
            if mine:
                self.carried.remove(mine[0])
            else:
                self.spent += 1
        self.release(name)
        return True

    def release(self, name: str) -> None:
        self.holds = [hold for hold in self.holds if hold.name != name]
        self.carried = [unit for unit in self.carried if unit.is_carried_by != name]

    def start(self, plan: Plan) -> None:
        self.plans.append(plan)
        self._give_turn(plan)

    def is_over(self, own: str) -> bool:
        return any(plan.own == own and plan.ends_at <= self.tick for plan in self.plans)

    def set_end(self, own: str, ends_at: int) -> None:
        for plan in self.plans:
            if plan.own == own:
                plan.ends_at = ends_at
                for unit in self.units:
                    # Units that die at this very tick do, whatever is said of later ones.
                    if unit.own == own and plan.expires != "never" and unit.dies_at > self.tick:
                        resets = plan.expires == "when_repeated" and plan.every is not None
                        unit.dies_at = min(plan.next_repeat(), ends_at) if resets else ends_at

    def end(self, own: str) -> None:
        gone = [plan for plan in self.plans if plan.own == own]
        self.plans = [plan for plan in self.plans if plan.own != own]
        if gone and gone[0].expires != "never":
            self._lose([unit for unit in self.units if unit.own == own])

    def take_back(self, own: str) -> int:
        """Unspent, unheld units of one purchase, grant by grant; what was spent of a grant is closed with its spending, whatever is taken."""
        mine = sorted((unit.dies_at, place, unit.grant) for place, unit in enumerate(self.units) if unit.own == own)
        return sum(self._take_back_grant(grant) for grant in dict.fromkeys(grant for _, _, grant in mine))

    def _take_back_grant(self, grant: int) -> int:
        order = sorted(range(len(self.units)), key=lambda place: (self.units[place].dies_at, place))
        laid = set(order[: self.spent])
        mine = [place for place in order if self.units[place].grant == grant]
        unspent = [place for place in mine if place not in laid]
        taken = unspent[: max(0, self.quantity)]
        gone = set(taken) | (set(mine) & laid)
        self.spent -= len(gone & laid)
        self.units = [unit for place, unit in enumerate(self.units) if place not in gone]
        return len(taken)
