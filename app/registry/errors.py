"""From the driver's errors to ours: none of them leaves the registry."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from app.domain.errors import RegistryUnavailable


class Conflict(RegistryUnavailable):
    """Somebody else has written meanwhile what the schema allows once."""


@contextmanager
def translated() -> Iterator[None]:
    """Let no driver's exception out."""
    try:
        yield
    except IntegrityError as error:
        raise Conflict("Somebody else changed the same thing at the same time. Try again.") from error
    except SQLAlchemyError as error:
        raise RegistryUnavailable("The database did not answer as it should. Try again.") from error
