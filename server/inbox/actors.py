"""Who may act on a phone beside its own worker. The work of one transaction."""

from sqlalchemy import Connection, RowMapping

from server.consolewrites import Asking
from server.identity.principal import DeviceStatus, Principal, Role
from server.identity.queries import device_with_id
from server.identity.rules import SUPERVISING
from server.inbox.queries import InboxRow, worker_row
from server.inbox.schemas import ActorAccepted, ActorList, ActorView
from server.problems import Forbidden, InvalidBody, NotFound, TransitionRefused
from server.replication.actor_queries import ACTORS_MAX, accept_actor, actors_of, end_actor
from server.replication.settle import release_waiting
from server.replication.waiting_queries import of_actor, open_of_actor
from sync.fields import is_id
from sync.release import Why

RELEASED_MAX = 500


def _answers_for(principal: Principal, area_no: int) -> bool:
    if principal.role not in SUPERVISING:
        return False
    return principal.area.covers(area_no)


def _the_phone(db: Connection, device: str) -> RowMapping:
    row = device_with_id(db, device)
    if row is None or row["console"]:
        raise NotFound
    return row


def accept(db: Connection, asking: Asking, device: str, named: str | None) -> ActorAccepted:
    """Accept a worker on a phone, and release what waited for that.

    A worker's own token is enough for the worker's own name: being told of a phone and saying
    yes to it is the consent. A supervisor must answer for the phone and for the worker.

    Raises:
        NotFound: if there is no such phone, or none the caller answers for.
        Forbidden: if a worker names somebody else.
        InvalidBody: if the account is no worker, or the phone has too many.
        TransitionRefused: if the phone was revoked.
    """
    principal = asking.principal
    phone = _the_phone(db, device)
    worker = _the_worker(db, principal, phone, named)
    if phone["status"] == DeviceStatus.REVOKED:
        raise TransitionRefused(code="device-revoked")
    known = [each for each in actors_of(db, device) if each["account_id"] != worker.id]
    if len(known) >= ACTORS_MAX:
        reason = f"a phone has at most {ACTORS_MAX} workers"
        raise InvalidBody.at("/account", reason)
    accept_actor(db, device, worker.id, by=principal.account, now_ms=asking.now_ms)
    waited = open_of_actor(db, device, worker.id)
    rows = of_actor(db, device, worker.id, limit=RELEASED_MAX)
    release_waiting(db, rows, why=Why.ACTOR, now_ms=asking.now_ms)
    left = open_of_actor(db, device, worker.id)
    view = next(each for each in actor_list(db, device).items if each.account == worker.id)
    return ActorAccepted(**view.model_dump(), released=waited - left, waiting=left)


def _the_worker(
    db: Connection, principal: Principal, phone: RowMapping, named: str | None
) -> InboxRow:
    """The worker to accept, by the caller's right to say so."""
    who = named or principal.account
    worker = worker_row(db, who, by_id=is_id(who))
    own = worker is not None and worker.id == principal.account
    if not own and principal.role not in SUPERVISING:
        raise Forbidden("A worker speaks for nobody else.")
    if not own and not _answers_for(principal, phone["area_no"]):
        raise NotFound
    outside = worker is not None and not own and not _answers_for(principal, worker.area_no)
    if worker is None or outside:
        reason = "is no account you answer for"
        raise InvalidBody.at("/account", reason)
    if worker.role != Role.WORKER or not worker.active:
        reason = "must be an active worker"
        raise InvalidBody.at("/account", reason)
    return worker


def end(db: Connection, asking: Asking, device: str, account: str) -> None:
    """End an acceptance: what the worker does on the phone from now on waits for a person.

    Raises:
        NotFound: if there is nothing the caller may end.
    """
    principal = asking.principal
    phone = _the_phone(db, device)
    allowed = (
        principal.account in {account, phone["account_id"]},
        _answers_for(principal, phone["area_no"]),
    )
    if not any(allowed) or not end_actor(db, device, account, now_ms=asking.now_ms):
        raise NotFound


def readable_actors(db: Connection, principal: Principal, device: str) -> ActorList:
    """Who may act on a phone, for its worker and those who answer for it.

    Raises:
        NotFound: for everybody else.
    """
    phone = _the_phone(db, device)
    own = principal.account == phone["account_id"]
    if not own and not _answers_for(principal, phone["area_no"]):
        raise NotFound
    return actor_list(db, device)


def actor_list(db: Connection, device: str) -> ActorList:
    """Everybody ever accepted on a device."""
    return ActorList(
        items=[
            ActorView(
                account=row["account_id"],
                login=row["login"],
                accepted_ms=row["accepted_ms"],
                ended_ms=row["ended_ms"],
            )
            for row in actors_of(db, device)
        ]
    )
