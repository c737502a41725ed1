"""Which failures come from what is to be stored, and which from elsewhere."""

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from server.db.store import RetryTransaction, StoreBusy
from server.problems import Problem

_NOBODYS_FAULT = (Problem, RetryTransaction, StoreBusy, OSError, MemoryError)


def is_about_content(error: Exception) -> bool:
    """Say whether an error comes from what is to be stored, and not from the database."""
    if isinstance(error, _NOBODYS_FAULT):
        return False
    return not isinstance(error, SQLAlchemyError) or isinstance(
        error, (DataError, IntegrityError)
    )
