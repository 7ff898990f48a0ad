"""Long answers: made in pieces, sent in pieces, and not begun before they are whole."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile

from flask import Response

IN_MEMORY = 1 << 20
"""Bytes of an answer that are kept in memory; what is longer lies in a file without a name."""
PIECE = 1 << 16
"""Bytes that are sent at once."""


def answer(pieces: Iterable[bytes]) -> Response:
    """Make the answer whose body are these pieces of JSON.

    All of them are made before this returns, and what they raise comes out of here: if they were sent as they
    are made, a database that fails in the middle would leave half an answer behind, and a client that reads
    slowly would hold a transaction open.
    """
    kept = keep(pieces)
    made = Response(_sent(kept), mimetype="application/json")
    made.content_length = kept.tell()
    made.call_on_close(kept.close)  # who asks by HEAD, or hangs up, does not read it to its end
    return made


def keep(pieces: Iterable[bytes]) -> "SpooledTemporaryFile[bytes]":
    """Put the pieces together, with no more than IN_MEMORY of them in memory."""
    with ExitStack() as until_whole:
        kept = until_whole.enter_context(SpooledTemporaryFile(max_size=IN_MEMORY))
        for piece in pieces:  # not writelines, which looks at the size when all is written
            kept.write(piece)
        until_whole.pop_all()
    return kept


def _sent(kept: "SpooledTemporaryFile[bytes]") -> Iterator[bytes]:
    with kept:
        kept.seek(0)
        while piece := kept.read(PIECE):
            yield piece
