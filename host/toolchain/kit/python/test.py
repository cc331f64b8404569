import pytest
from MODULE import Person, MODULE
from ophost_sdk.testing import cases, invoke


def test_person_is_greeted_by_name():
    assert MODULE(Person(name="Ada")).text == "Hello, Ada!"


def test_greeting_has_a_default():
    assert invoke(MODULE, '{"name": "Ada"}') == '{"text":"Hello, Ada!"}'


@pytest.mark.parametrize("case", cases("cases"))
def test_case(case):
    case.check()
