"""Errors that a user can act on. The command line prints the message and exits with the code.

They live apart from the modules that raise them: catching one must not load a database driver.
"""


class UserError(Exception):
    """Base of all of them; raised through its subclasses only."""

    exit_code = 2


class UsageError(UserError):
    """Raised for a wrong command line; the message says what is wrong."""


class SourceError(UserError):
    """Raised when a source file can't be used; the message names file, line and field."""


class QueryError(UserError):
    """Raised when the database refuses a query: wrong SQL, or one that would write."""


class DatabaseError(UserError):
    """Raised when the database can't be used; the message says what to do."""

    exit_code = 3
