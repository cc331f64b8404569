"""The model of a job, and the selection of jobs by user."""

from enum import Enum
from typing import Any

from enrichment import Enrichment
from ophost_sdk import Document, Field, context
from ophost_sdk.documents import DocumentQuery, Result


class Status(Enum):
    """The status of an application."""

    NEW = "new"
    APPLIED = "applied"
    REJECTED = "rejected"


def _is_none(value: Any) -> bool:
    return value is None


class Job(Document):
    """A job posting and the state of the application. The documents are in the collection `jobs`.

    A run with a user only finds the jobs of this user.
    """

    title: str = Field(..., description="The title of the job")
    company: str = Field(..., description="The company that offers the job")
    status: Status = Field(Status.NEW, description="The status of the application")
    notes: str | None = Field(None, description="Notes in free text")
    user_id: str | None = Field(None, description="The user who owns the job")
    description: str | None = Field(None, description="The text of the posting", exclude_if=_is_none)
    location: str | None = Field(None, description="The place of work", exclude_if=_is_none)
    salary: str | None = Field(
        None, description="The salary, such as `$120k - $150k / yr`", exclude_if=_is_none
    )
    enrichment: Enrichment | None = Field(
        None, description="The result of `process_jobs`", exclude_if=_is_none
    )

    @classmethod
    def find(cls, *filters: Any) -> DocumentQuery["Job"]:
        """Returns the query of the matching jobs of the user of the run."""
        user_id = context.user_id()
        return super().find(*filters, *([{"user_id": user_id}] if user_id else []))

    def insert(self) -> Result["Job"]:
        """Adds the job. Without an owner, it belongs to the user of the run."""
        self.user_id = self.user_id or context.user_id()
        return super().insert()
