"""The seniority of a posting."""

import re
from enum import Enum


class Seniority(Enum):
    """The seniority that a posting asks for, in ascending order."""

    INTERN = "intern"
    JUNIOR = "junior"
    MID = "mid"
    SENIOR = "senior"
    LEAD = "lead"
    HEAD = "head"


_LEVELS = list(Seniority)

# Words of titles in lower case.
_WORDS = {
    Seniority.INTERN: (
        "intern internship trainee apprentice praktikum praktikant praktikantin werkstudent "
        "werkstudentin"
    ),
    Seniority.JUNIOR: "junior jr graduate entry-level",
    Seniority.MID: "mid mid-level intermediate ii",
    Seniority.SENIOR: "senior sr experienced iii",
    Seniority.LEAD: "lead principal staff leitender leitende iv",
    Seniority.HEAD: "head director chief vp cto ceo cfo leiter leiterin",
}
_LEVEL_OF = {word: level for level, words in _WORDS.items() for word in words.split()}

# Beginnings of words for years, and parts of words for experience.
_YEARS = ("year", "yrs", "jahr", "ans")
_EXPERIENCE = ("experience", "erfahrung", "expérience")


def of_word(word: str) -> Seniority | None:
    """Returns the seniority that a word of a title names."""
    return _LEVEL_OF.get(re.sub(r"^[\W_]+|[\W_]+$", "", word).lower())


def of(title: str, description: str) -> Seniority | None:
    """Returns the highest seniority that a title names.

    Without one, the years of experience in the description count.
    """
    named = [level for word in re.split(r"[\s/,()]", title) if (level := of_word(word))]
    if named:
        return max(named, key=_LEVELS.index)
    years = _years_of_experience(description)
    if years is None:
        return None
    return Seniority.JUNIOR if years < 2 else Seniority.MID if years < 5 else Seniority.SENIOR


def _years_of_experience(description: str) -> int | None:
    """Returns the years in `5+ years of experience`, `3-5 Jahre Berufserfahrung` and so on."""
    words = description.lower().split()
    for index in range(1, len(words)):
        following = words[index : index + 5]
        is_experience = any(part in word for word in following for part in _EXPERIENCE)
        number = re.match(r"[0-9]+", words[index - 1])
        if words[index].startswith(_YEARS) and is_experience and number:
            return int(number[0])
    return None
