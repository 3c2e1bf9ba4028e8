"""How a stage says that a page is no article."""

from pipelines.document import Reason


class Reject(Exception):  # noqa: N818 - it is an answer, not an error
    """Raised when a stage finds that a page is no article; `process` makes it a `Rejected`.

    `stage` is the stage's file name, `detail` one line for people.
    """

    def __init__(self, stage: str, reason: Reason, detail: str) -> None:
        super().__init__(stage, reason, detail)
        self.stage = stage
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.stage}: {self.reason}: {self.detail}"
