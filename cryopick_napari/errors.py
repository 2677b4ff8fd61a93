"""The one kind of error a user is meant to read: what is wrong, with which file, and what to do."""


class CryopickError(Exception):
    """Something the user can put right; the message says how, in one line."""
