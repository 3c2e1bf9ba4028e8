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


class LockedError(UserError):
    """Raised when a source is being crawled already; the message says by whom."""

    exit_code = 4


class ArchiveError(UserError):
    """Raised when the archive of a crawl can't be written; the message says what to do."""

    exit_code = 3


class WebhookError(UserError):
    """Raised when nobody takes what was to be told by a webhook; the message says what to do."""

    exit_code = 3
