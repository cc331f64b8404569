"""Runs the cases under plain Python."""

import pytest
import text  # noqa: F401
from ophost_sdk.testing import Case, cases


@pytest.mark.parametrize("case", cases("cases"))
def test_case(case: Case) -> None:
    case.check()
