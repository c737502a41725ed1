"""Phones, a console, bad networks, wrong clocks, moving borders, lost backups: one machine.

Each step is one thing a person or the world does. After every step nothing may have been sent
that should not; at the end everybody gets a good network, and then everything must agree.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from typing_extensions import override

from clients.phone.faults import Fault
from sync.canonical import record_body
from sync.mutation import Datum, Position
from tests.simulation import checks
from tests.simulation.city import GRIDS, WORKERS, City
from tests.simulation.model import CONSOLE, ModelServer
from tests.simulation.places import GRID_WIDTH_E7

phones = st.integers(0, len(WORKERS) - 1)
grids = st.sampled_from(GRIDS)
workers = st.sampled_from(WORKERS)
picks = st.integers(0, 40)
words = st.sampled_from(["a", "b", "c"])
edits = st.one_of(
    st.fixed_dictionaries({"contact_phone": words | st.none()}),
    st.fixed_dictionaries({"status": st.sampled_from(["active", "moved_out", "vacant"])}),
    st.fixed_dictionaries({"size_band": st.sampled_from(["1", "2"])}),
    st.fixed_dictionaries({"door": words, "visit_preference": st.just("any")}),
)
faults = st.lists(st.sampled_from(Fault), max_size=3)
claims = st.sampled_from(["accept", "start", "finish", "not_executable"])
decisions = st.sampled_from(["register", "verify", "close", "reopen", "void", "reject"])


class Community(RuleBasedStateMachine):
    """Everything that may happen."""

    @initialize()
    def begin(self) -> None:
        self.city = City(check_reply=checks.check_reply)
        self.observers = [checks.Observer() for _ in WORKERS]
        self.kept: ModelServer | None = None
        for handset in self.city.handsets:
            assert handset.phone.sync().up_to_date

    def pick(self, number: int, kind: str, pick: int) -> str | None:
        ids = [shown.record for shown in self.city.handsets[number].phone.records(kind)]
        return ids[pick % len(ids)] if ids else None

    def pick_on_server(self, kind: str, pick: int) -> str | None:
        ids = sorted(each.id for each in self.city.server.records.values() if each.kind == kind)
        return ids[pick % len(ids)] if ids else None

    # workers

    @rule(number=phones, pick=picks, change=edits)
    def edit(self, number, pick, change):
        if (household := self.pick(number, "household", pick)) is not None:
            self.city.handsets[number].phone.edit(household, set=change)

    @rule(number=phones, pick=picks, word=words, there=st.booleans())
    def tick(self, number, pick, word, there):
        if (household := self.pick(number, "household", pick)) is not None:
            change = {"languages": [word]}
            add, remove = (change, {}) if there else ({}, change)
            self.city.handsets[number].phone.edit(household, add=add, remove=remove)

    @rule(number=phones, pick=picks, kind=st.sampled_from(["note", "visit"]))
    def write_down(self, number, pick, kind):
        if (household := self.pick(number, "household", pick)) is not None:
            handset = self.city.handsets[number]
            members = {
                "note": {"parent": household, "text": "seen"},
                "visit": {"household": household, "outcome": "done"},
            }
            handset.facts.add(handset.phone.create(kind, set=members[kind]))

    @rule(number=phones, column=st.integers(0, 3))
    def report(self, number, column):
        handset = self.city.handsets[number]
        place = Position(
            lon_e7=column * GRID_WIDTH_E7 + 5, lat_e7=0, datum=Datum.WGS84, accuracy_cm=500
        )
        handset.facts.add(handset.phone.create("report", set={"class": "pipe"}, position=place))

    @rule(number=phones, pick=picks)
    def register_family(self, number, pick):
        if (dwelling := self.pick(number, "dwelling", pick)) is not None:
            self.city.handsets[number].phone.create("household", set={"dwelling": dwelling})

    @rule(number=phones, pick=picks, act=claims)
    def claim(self, number, pick, act):
        if (task := self.pick(number, "task", pick)) is not None:
            self.city.handsets[number].phone.act(task, act)

    @rule(number=phones, pick=picks, acts=st.lists(claims, min_size=2, max_size=3))
    def work_through(self, number, pick, acts):
        for act in acts:
            self.claim(number, pick, act)
            self.city.advance(60_000)

    @rule(number=phones)
    def send_nonsense(self, number):
        self.city.handsets[number].phone.create("household", set={"surprise": 1})

    # the console

    @rule(pick=picks, change=edits, behind=st.integers(0, 2))
    def correct(self, pick, change, behind):
        if (household := self.pick_on_server("household", pick)) is not None:
            base = max(1, self.city.server.records[household].rev - behind)
            self.city.server.decide(record=household, kind="household", base=base, set=change)

    @rule(pick=picks, grid=grids)
    def redraw(self, pick, grid):
        if (household := self.pick_on_server("household", pick)) is not None:
            base = self.city.server.records[household].rev
            self.city.server.decide(
                record=household, kind="household", base=base, set={"grid": grid}
            )

    @rule(pick=picks, worker=workers)
    def dispatch(self, pick, worker):
        if (incident := self.pick_on_server("incident", pick)) is not None:
            self.city.server.decide(
                record=incident,
                kind="incident",
                base=self.city.server.records[incident].rev,
                act="dispatch",
                args={"task": self.city.new_id(), "assignee": worker},
            )

    @rule(pick=picks, act=decisions, passed=st.booleans())
    def decide(self, pick, act, passed):
        if (incident := self.pick_on_server("incident", pick)) is not None:
            args = {"result": "pass" if passed else "fail"} if act == "verify" else {}
            self.city.server.decide(
                record=incident,
                kind="incident",
                base=self.city.server.records[incident].rev,
                act=act,
                args=args,
            )

    @rule(worker=workers, grid=grids, held=st.booleans())
    def reassign(self, worker, grid, held):
        change = self.city.server.assign if held else self.city.server.unassign
        change(worker, grid)

    # the world

    @rule(number=phones, plan=faults)
    def sync(self, number, plan):
        handset = self.city.handsets[number]
        handset.weather.coming.extend(plan)
        report = handset.phone.sync()
        if report.up_to_date:
            assert report.failure is None
            self.observers[number].look(handset.phone, self.city.server.incarnation)

    @rule(span_s=st.integers(1, 100_000))
    def wait(self, span_s):
        self.city.advance(span_s * 1000)

    @rule(number=phones, shift_s=st.integers(-(10**6), 10**6))
    def change_clock(self, number, shift_s):
        clock = self.city.handsets[number].clock
        clock.set_wall(clock.wall_ms + shift_s * 1000)

    @rule(number=phones)
    def reboot(self, number):
        handset = self.city.handsets[number]
        handset.clock.reboot(f"boot-{number}-{next(handset.boots)}")

    @rule(number=phones, pick=picks)
    def rot(self, number, pick):
        """The phone's memory forgets what it held of a record."""
        store = self.city.handsets[number].phone._store
        if held := store.held_of_kind(None):
            one = held[pick % len(held)]
            body = record_body(one.record, one.kind, one.rev, {})
            store._db.execute("UPDATE record SET body = ? WHERE id = ?", (body, one.record))

    @rule(number=phones)
    def new_identity(self, number):
        handset = self.city.handsets[number]
        handset.weather.coming.clear()
        handset.phone.enrol("", handset.worker)

    @rule()
    def back_up(self):
        self.kept = self.city.server.backup()

    @precondition(lambda self: self.kept is not None)
    @rule()
    def restore(self):
        """The database is lost; the last backup takes its place, the console starts from it."""
        assert self.kept is not None
        self.city.replace_server(self.kept.restored(self.city.server))
        assert CONSOLE in self.city.server.devices

    @invariant()
    def nothing_was_sent_or_done_that_should_not(self):
        if hasattr(self, "city"):
            checks.check_books(self.city)

    @override
    def teardown(self) -> None:
        if not hasattr(self, "city"):
            return
        for _ in range(2):
            for handset in self.city.handsets:
                checks.heal(handset)
        for handset in self.city.handsets:
            checks.check_converged(self.city, handset)
            checks.check_acknowledged(self.city, handset)
            checks.check_facts(self.city, handset)
            handset.phone.close()


TestCommunity = Community.TestCase
TestCommunity.settings = settings(stateful_step_count=40)
