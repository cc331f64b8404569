"""Runs the plugin under plain Python, with documents in memory."""

import asyncio

import pytest
import salary
import skills
import title
from jobs import bulk_delete_jobs, create_jobs_batch, process_jobs, update_job
from models.job import Job
from ophost_sdk.testing import Case, cases, memory, run
from update_job import UpdateJobInput


@pytest.mark.parametrize("case", cases("cases"))
def test_case(case: Case) -> None:
    case.check()


def test_a_function_can_be_called_directly() -> None:
    memory().seed(Job(id="123", title="Baker", company="ACME"))
    input = UpdateJobInput(job_id="123", updates={"notes": "Interesting"})
    result = asyncio.run(update_job(input))
    assert result.message == "Successfully updated 1 field(s)"


def test_a_caught_error_discards_the_changes_and_says_so() -> None:
    documents = memory()
    documents.seed(Job(id="1", title="Baker", company="ACME"))
    documents.seed_json("jobs", "2", {"title": "Smith"})
    report = run(bulk_delete_jobs, {"job_ids": ["1", "2"]})
    assert report.is_success and not report.output["success"]
    assert list(documents.documents("jobs")) == ["1", "2"]
    (warning,) = [entry for entry in report.logs if entry.level == "warn"]
    assert "are discarded" in warning.message and "`2`" in warning.message


def test_unknown_fields_of_documents_survive_an_update() -> None:
    documents = memory()
    documents.seed_json("jobs", "1", {"title": "Baker", "company": "ACME", "colour": "red"})
    run(update_job, {"job_id": "1", "updates": {"title": "Miller"}})
    assert documents.documents("jobs")["1"] == {
        "title": "Miller",
        "company": "ACME",
        "colour": "red",
    }


def test_progress_is_reported_for_each_batch() -> None:
    memory()
    jobs_data = [{"title": "Baker", "company": "ACME"}] * 250
    run(create_jobs_batch, {"jobs_data": jobs_data})
    report = run(process_jobs, {"batch_size": 100})
    assert [(one["done"], one["message"]) for one in report.progress] == [
        (100, "batch 1"),
        (200, "batch 2"),
        (250, "batch 3"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$120k - $150k / yr", (120_000, 150_000, "USD", "year")),
        ("€ 45.000\u201355.000 pro Jahr", (45_000, 55_000, "EUR", "year")),
        ("\u20b912,00,000 - \u20b918,00,000 p.a.", (1_200_000, 1_800_000, "INR", "year")),
        ("3.200,50 € monatlich", (3200.5, 3200.5, "EUR", "month")),
        ("up to $90k", (None, 90_000, "USD", "year")),
        ("£30k+", (30_000, None, "GBP", "year")),
        ("$90k base, 10% bonus", (90_000, 90_000, "USD", "year")),
    ],
)
def test_salary(text: str, expected: tuple[object, ...]) -> None:
    parsed = salary.parse(text)
    assert parsed is not None
    assert (parsed.min, parsed.max, parsed.currency, parsed.period.value) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("see website", "no amount"),
        ("$1,23,4 per hour", "`1,23,4` is not a valid amount"),
        ("$1k - $2k - $3k", "several amounts that are not a range"),
        ("$150k - $120k", "the lowest amount is above the highest amount"),
        ("50k EUR or GBP", "two currencies"),
        ("$900 per week", "unsupported period `week`"),
    ],
)
def test_text_that_is_no_salary(text: str, reason: str) -> None:
    with pytest.raises(salary.SalaryError) as error:
        salary.parse(text)
    assert str(error.value) == reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SENIOR SOFTWARE ENGINEER (M/W/D)", "Software Engineer"),
        ("Entwickler*in m/w/d", "Entwickler"),
        ("full stack dev", "Full-Stack Developer"),
        ("head OF customer success", "Head of Customer Success"),
        ("- QA Engineer #4711 (urgent (really)) -", "QA Engineer #4711"),
        ("--- 123 ---", None),
    ],
)
def test_title(text: str, expected: str | None) -> None:
    assert title.normalize(text) == expected


def test_common_words_are_skills_only_in_enumerations_and_before_cues() -> None:
    assert skills.extract("Skills: Go/Python; REST APIs; statistics with R.") == [
        *("Go", "Python", "R", "REST")
    ]
    assert skills.extract("Go to market fast, excel at it and get some rest.") == []
