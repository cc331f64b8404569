"""Parses the salary of a posting.

The languages are English, German and French. Unknown words are ignored.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from ophost_sdk import BaseModel, Field


class Period(Enum):
    """The period of a salary."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class Salary(BaseModel):
    """A salary. Both bounds are equal if the posting states one amount."""

    min: int | float | None = Field(..., description="The lowest amount, if there is one")
    max: int | float | None = Field(..., description="The highest amount, if there is one")
    currency: str = Field(..., description="The currency, a code of ISO 4217")
    period: Period = Field(..., description="The period that the amounts are paid for")


class SalaryError(Exception):
    """Reason why a text is not a salary."""


# Amounts are in hundredths of the currency.
_UNIT = 100
_MIN_YEARLY = 10_000 * _UNIT
_MAX_DIGITS = 12
_GROUP_SEPARATORS = "'\u2019 \u00a0\u2009\u202f"
_SEPARATORS = f".,{_GROUP_SEPARATORS}"

_CURRENCIES = {
    **{code.lower(): code for code in "USD EUR GBP CHF PLN SEK NOK DKK CAD AUD NZD INR JPY".split()},
    **{"dollar": "USD", "dollars": "USD", "euro": "EUR", "euros": "EUR", "pounds": "GBP"},
    **{"fr": "CHF", "franken": "CHF", "zł": "PLN", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR"},
}
_DOLLARS = {"us": "USD", "c": "CAD", "ca": "CAD", "a": "AUD", "au": "AUD", "nz": "NZD"}

_PERIODS = {
    Period.HOUR: "h hr hrs hour hours hourly ph std stunde stundenlohn heure",
    Period.DAY: "day daily diem pd tag tagessatz täglich jour",
    Period.MONTH: "mo month monthly pm pcm monat monatlich mtl mois mensuel",
    Period.YEAR: "yr year yearly annum annual annually pa jahr jährlich jahresgehalt annuel",
}
_PERIOD_OF = {word: period for period, words in _PERIODS.items() for word in words.split()}
_UNSUPPORTED_PERIODS = set("week weekly wk woche wöchentlich semaine minute".split())

_RANGE = set("to à and und et - \u2013 \u2014".split())
_AT_MOST = set("up zu max maximum jusqu".split())
_AT_LEAST = set("from ab starting min minimum mindestens dès".split())
_OPEN = set(
    "competitive negotiable attractive market doe tbd disclosed confidential vereinbarung "
    "verhandlungsbasis vb attraktiv attraktives négocier profil".split()
)

_NUMBER = re.compile(rf"[0-9](?:[0-9]|[{re.escape(_SEPARATORS)}](?=[0-9]))*")
_THOUSANDS = re.compile(r"\s*k(?![^\W\d_])")
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|\.(?=[^\W\d_]))*")


@dataclass(frozen=True)
class _Amount:
    cents: int
    has_thousands: bool

    def value(self, has_thousands: bool) -> int:
        return self.cents * 1_000 if has_thousands else self.cents


@dataclass
class _Statement:
    """The parts of a text about a salary."""

    amounts: list[_Amount] = field(default_factory=list)
    is_range: bool = False
    bound: str = "both"
    is_open: bool = False
    currency: str | None = None
    likely_currency: str | None = None
    period: Period | None = None
    likely_period: Period | None = None

    def add_amount(self, amount: _Amount) -> None:
        if self.amounts and (len(self.amounts) > 1 or not self.is_range):
            raise SalaryError("several amounts that are not a range")
        self.amounts.append(amount)

    def add_word(self, word: str) -> None:
        if word in _RANGE or (word == "bis" and self.amounts):
            self.is_range = self.is_range or len(self.amounts) == 1
        elif word in _AT_MOST or word == "bis":
            self.bound = "highest"
        elif word in _AT_LEAST:
            self.bound = "lowest"
        elif word == "an":
            self.likely_period = Period.YEAR  # French `par an`, but also the English article
        elif word == "$":
            self.likely_currency = "USD"
        elif word in _CURRENCIES:
            self.add_currency(_CURRENCIES[word])
        elif word in _PERIOD_OF:
            self.add_period(_PERIOD_OF[word])
        elif word in _UNSUPPORTED_PERIODS:
            raise SalaryError(f"unsupported period `{word}`")
        elif word in _OPEN:
            self.is_open = True

    def add_currency(self, code: str) -> None:
        if self.currency not in (None, code):
            raise SalaryError("two currencies")
        self.currency = code

    def add_period(self, period: Period) -> None:
        if self.period not in (None, period):
            raise SalaryError("two periods")
        self.period = period

    def bounds(self) -> tuple[int | None, int | None]:
        if not self.amounts:
            raise SalaryError("no amount")
        first, last = self.amounts[0], self.amounts[-1]
        if len(self.amounts) == 1:
            amount = first.value(first.has_thousands)
            low = None if self.bound == "highest" else amount
            return low, None if self.bound == "lowest" else amount
        # In `120-150k`, the factor is that of both amounts.
        is_shared = last.has_thousands and first.cents < last.cents
        low = first.value(first.has_thousands or is_shared)
        high = last.value(last.has_thousands)
        if low > high:
            raise SalaryError("the lowest amount is above the highest amount")
        return low, high


def parse(text: str) -> Salary | None:
    """Parses a salary. Returns None for an empty text and for an open one such as `competitive`.

    Raises `SalaryError` if the text is anything else than an open salary, an amount or a range.
    """
    statement = _read(text.lower())
    is_unstated = not any(map(str.isalnum, text)) or text.strip().lower() == "n/a"
    if is_unstated or (statement.is_open and not statement.amounts):
        return None
    low, high = statement.bounds()
    currency = statement.currency or statement.likely_currency
    if currency is None:
        raise SalaryError("no currency")
    is_yearly = (high or low or 0) >= _MIN_YEARLY
    period = statement.period or statement.likely_period or (Period.YEAR if is_yearly else None)
    if period is None:
        raise SalaryError("no period")
    return Salary(min=_number(low), max=_number(high), currency=currency, period=period)


def _read(text: str) -> _Statement:
    statement = _Statement()
    for part in _parts(text):
        if isinstance(part, _Amount):
            statement.add_amount(part)
        elif part in _DOLLARS.values():
            statement.add_currency(part)
        else:
            statement.add_word(part)
    return statement


def _parts(text: str) -> Iterator[_Amount | str]:
    """Returns the amounts, words and symbols of a text, and codes in upper case for `US$`."""
    position = amount_end = 0
    while position < len(text):
        letter = text[position]
        if number := _NUMBER.match(text, position):
            position = number.end()
            if text[position:].lstrip().startswith("%"):
                continue
            thousands = _THOUSANDS.match(text, position)
            position = amount_end = thousands.end() if thousands else position
            yield _Amount(_cents(number[0]), thousands is not None)
        elif word := _WORD.match(text, position):
            position = word.end()
            known = word[0].replace(".", "")
            if known in _DOLLARS and text[position : position + 1] == "$":
                position += 1
                yield _DOLLARS[known]
            else:
                yield known
        else:
            position += 1
            is_least = letter == "+" and 0 < position - 1 == amount_end
            yield "min" if is_least else letter


def _cents(text: str) -> int:
    """Parses a number such as `45.000`, `8'500`, `12,00,000` or `25.50`."""
    decimals = re.fullmatch(r"(.*)([.,])([0-9]{1,2})", text)
    whole, rest = text, ""
    if decimals and decimals[2] not in decimals[1]:
        whole, rest = decimals[1], decimals[3]
    first, *groups = re.split(f"[{re.escape(_SEPARATORS)}]", whole)
    is_uniform = len({letter for letter in whole if letter in _SEPARATORS}) <= 1
    digits = "".join([first, *groups])
    cents = int(digits) * _UNIT + int(f"{rest:0<2}")
    if not (is_uniform and _are_groups(first, groups) and len(digits) <= _MAX_DIGITS and cents):
        raise SalaryError(f"`{text}` is not a valid amount")
    return cents


def _are_groups(first: str, groups: list[str]) -> bool:
    if not groups:
        return True
    *middle, last = groups
    # Groups of two digits before the last one are Indian.
    sizes = {len(group) for group in middle}
    return 1 <= len(first) <= 3 and sizes in (set(), {2}, {3}) and len(last) == 3


def _number(cents: int | None) -> int | float | None:
    if cents is None:
        return None
    return cents // _UNIT if cents % _UNIT == 0 else cents / _UNIT
