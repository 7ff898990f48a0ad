"""How names look, as patterns for documents and for bodies; `app.domain.model` decides, and says why not."""

PROJECT = "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
POOL = "^[a-z0-9][a-z0-9_-]{0,62}$"
INSTANCE = "^i-([0-9a-f]{8}|[0-9a-f]{17})$"
MESSAGE = "^msg_[0-9a-f]{32}$"

_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
_SPACES = r" \u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff"
ONE_LINE = f"^[^{_CONTROLS}]*[^{_CONTROLS}{_SPACES}][^{_CONTROLS}]*$"
"""Text that shows: not blank, and without what ends a line, steers a terminal or turns the writing around.

The sets are written out, because `\\s` is not the same to every reader of a pattern.
"""

IN_WORDS = {
    PROJECT: "A project id is 1 to 63 letters, digits, '_' or '-', and starts with a letter or a digit",
    POOL: "A pool's name is 1 to 63 of a-z, 0-9, '_' and '-', and starts with a letter or a digit",
    INSTANCE: "An instance id looks like i-0123456789abcdef0",
    ONE_LINE: "One line of text is needed: not blank, and without control characters",
}
"""What to say of a text that does not look like this."""
