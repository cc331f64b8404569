"""The enrichment of a posting: what `process_jobs` extracts from its other fields."""

import salary as salaries
import seniority as levels
import skills as known_skills
import title as titles
from ophost_sdk import BaseModel, Field
from salary import Salary
from seniority import Seniority


class Enrichment(BaseModel):
    """The result of `process_jobs`. Equal fields of a job give an equal result."""

    title: str = Field(..., description="The normalised title, without seniority and notes")
    seniority: Seniority | None = Field(..., description="Null if the posting does not state it")
    skills: list[str] = Field(..., description="The skills in the posting, sorted")
    salary: Salary | None = Field(..., description="Null if the posting leaves it open")


class EnrichmentError(Exception):
    """Reason why a posting cannot be enriched."""


def enrich(title: str, description: str, salary: str) -> Enrichment:
    """Returns the enrichment of a posting. Raises `EnrichmentError` if there is none."""
    position = titles.normalize(title)
    if position is None:
        raise EnrichmentError("the title is empty")
    try:
        parsed = salaries.parse(salary)
    except salaries.SalaryError as error:
        raise EnrichmentError(f"cannot parse the salary `{salary}`: {error}") from None
    return Enrichment(
        title=position,
        seniority=levels.of(title, description),
        skills=known_skills.extract(f"{title}\n{description}"),
        salary=parsed,
    )
