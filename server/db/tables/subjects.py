"""Requests of people about their own data: ids, times and words; and copies that expire."""

from sqlalchemy import ForeignKeyConstraint, Index
from sqlalchemy import text as sql

from server.db.tables.columns import StoredRow, big, check, ident, octets, one_of, string
from server.db.tables.held import held
from sync.holding import Purpose, Retention, Source

_OPEN = sql("state IN ('received', 'in_progress')")


class SubjectRequest(StoredRow, table=True):
    """What somebody asked about their data, and how far it is; `rev` rises with every step.

    `record_id` is the resident or household it is about; where that lives is where it belongs.
    """

    __tablename__ = "subject_request"
    __held__ = held(
        "id asked about record_id verified state received_ms due_ms closed_ms refusal rev",
        Purpose.RIGHTS,
        Purpose.ACCOUNTABILITY,
        p1="received_by handler",
        retention=Retention.PROOF,
        source=Source.OFFICE,
    )
    __table_args__ = (
        Index(None, "record_id"),
        Index(None, "due_ms", "id"),
        Index(
            "ix_subject_request_open",
            "due_ms",
            postgresql_where=_OPEN,
            sqlite_where=_OPEN,
        ),
        one_of("asked", "access", "correction", "erasure", "restriction"),
        one_of("about", "household", "resident"),
        one_of(
            "verified",
            "document_seen",
            "known_in_person",
            "called_back",
            "authorised_person",
            "official_letter",
        ),
        one_of("state", "received", "in_progress", "answered", "refused"),
        one_of(
            "refusal",
            "identity_not_certain",
            "nothing_held",
            "law_requires_keeping",
            "rights_of_others",
            "repeated",
        ),
        check("refused", "(state = 'refused') = (refusal IS NOT NULL)"),
        check("closed", "(state IN ('answered', 'refused')) = (closed_ms IS NOT NULL)"),
        check("rev", "rev >= 1"),
        check("due", "due_ms >= received_ms"),
    )

    id: str = ident(key=True)
    asked: str = string()
    about: str = string()
    record_id: str = ident()
    verified: str = string()
    state: str = string()
    received_ms: int = big()
    received_by: str = ident()
    due_ms: int = big()
    handler: str | None = ident(null=True)
    closed_ms: int | None = big(null=True)
    refusal: str | None = string(null=True)
    rev: int = big()


class SubjectStep(StoredRow, table=True):
    """One thing that was done for a request: append-only. `rev` is the request's afterwards.

    `record_id` and `record_rev` say to which record it was done and what it stood at.
    """

    __tablename__ = "subject_step"
    __held__ = held(
        "request_id rev at_ms act record_id record_rev",
        Purpose.RIGHTS,
        Purpose.ACCOUNTABILITY,
        p1="account_id",
        retention=Retention.PROOF,
        source=Source.OFFICE,
    )
    __table_args__ = (
        ForeignKeyConstraint(["request_id"], ["subject_request.id"]),
        one_of(
            "act",
            "received",
            "begun",
            "copied",
            "corrected",
            "counted",
            "erased",
            "restricted",
            "lifted",
            "answered",
            "refused",
        ),
    )

    request_id: str = ident(key=True)
    rev: int = big(key=True)
    at_ms: int = big()
    account_id: str = ident()
    act: str = string()
    record_id: str | None = ident(null=True)
    record_rev: int | None = big(null=True)


class SubjectCopy(StoredRow, table=True):
    """The copy that was made to answer a request, until it expires."""

    __tablename__ = "subject_copy"
    __held__ = held(
        "request_id made_ms expires_ms sha256",
        Purpose.RIGHTS,
        p1="body",
        retention=Retention.EXPIRY,
        source=Source.RECORD,
    )
    __table_args__ = (
        ForeignKeyConstraint(["request_id"], ["subject_request.id"]),
        Index(None, "expires_ms"),
        check("expires", "expires_ms > made_ms"),
    )

    request_id: str = ident(key=True)
    made_ms: int = big()
    expires_ms: int = big()
    sha256: str = string()
    body: bytes = octets()
