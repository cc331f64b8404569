"""Normalises the title of a posting."""

import re

import seniority
from seniority import Seniority

# Texts after which a title continues with something else, such as the place of work.
_ENDS = re.compile(r" [-\u2013\u2014|@] | // ")

# Notes about the gender of applicants, without brackets.
_GENDER_NOTES = set("m/w/d w/m/d d/m/w m/f/d f/m/d m/f/x f/m/x h/f f/h".split())

# Suffixes of German nouns for all genders.
_GENDER_SUFFIX = re.compile(r"(\*|:|_|/|/-)in$", re.IGNORECASE)

# Words of one or two parts in lower case, and their usual form.
_FORMS = {
    **{word.lower(): word for word in "AI Android AWS BI CRM DevOps HR iOS IT Java".split()},
    **{word.lower(): word for word in "JavaScript ML .NET Node.js PHP QA SAP SEO SQL".split()},
    **{word.lower(): word for word in "SRE TypeScript UI UI/UX UX UX/UI VP CTO".split()},
    **dict.fromkeys(["back end", "back-end"], "Backend"),
    **dict.fromkeys(["front end", "front-end"], "Frontend"),
    **dict.fromkeys(["full stack", "full-stack", "fullstack"], "Full-Stack"),
    **dict.fromkeys(["eng", "engr"], "Engineer"),
    "dev": "Developer",
    "golang": "Go",
    "mgr": "Manager",
    "net": ".NET",
    "swe": "Software Engineer",
    "sysadmin": "System Administrator",
}

# Words that stay in lower case.
_SMALL_WORDS = set("a and at de des for für in of the und with".split())


def normalize(title: str) -> str | None:
    """Returns the normalised title, or None if the title names no position.

    Notes in brackets, notes about gender, the text after a spaced dash, and the seniority are
    removed. Abbreviations are expanded, and the case of the words is unified.
    """
    cleaned = map(_clean, _position(_without_brackets(title)).split())
    words = [word for word in cleaned if word]
    normalized = " ".join(_forms(_without_seniority(words) or words))
    return normalized if any(letter.isalpha() for letter in normalized) else None


def _without_brackets(text: str) -> str:
    depth = 0
    kept = []
    for letter in text:
        if letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth = max(0, depth - 1)
        elif depth == 0:
            kept.append(letter)
    return "".join(kept)


def _position(title: str) -> str:
    """Returns the part of a title that names the position."""
    for end in _ENDS.finditer(title):
        # A title can begin with a dash.
        if any(letter.isalnum() for letter in title[: end.start()]):
            return title[: end.start()]
    return title


def _clean(word: str) -> str:
    """Returns a word without punctuation."""
    word = re.sub(r"^[^\w+#.&]+|[^\w+#.&]+$", "", word.strip("_")).rstrip(".")
    return "" if word.lower() in _GENDER_NOTES else _GENDER_SUFFIX.sub("", word)


def _without_seniority(words: list[str]) -> list[str]:
    """Returns the words that do not state the seniority.

    The words of heads and of leads after the first word are part of the position, as in
    `Head of Sales` and `Team Lead`.
    """
    kept = []
    for index, word in enumerate(words):
        level = seniority.of_word(word)
        is_position = level in (None, Seniority.HEAD) or (level is Seniority.LEAD and index > 0)
        if is_position:
            kept.append(word)
    return kept


def _forms(words: list[str]) -> list[str]:
    forms: list[str] = []
    index = 0
    while index < len(words):
        pair = _FORMS.get(" ".join(words[index : index + 2]).lower())
        is_pair = pair is not None and index + 1 < len(words)
        forms.append(pair if is_pair and pair else _form(words[index], is_first=not forms))
        index += 2 if is_pair else 1
    return forms


def _form(word: str, *, is_first: bool) -> str:
    """Returns the usual form of a word, or else the word with an upper-case letter at the start.

    Mixed case is kept, as in `LaTeX`.
    """
    lower = word.lower()
    if lower in _FORMS:
        return _FORMS[lower]
    if lower in _SMALL_WORDS and not is_first:
        return lower
    is_mixed = any(map(str.isupper, word[1:])) and any(map(str.islower, word))
    return word if is_mixed else "-".join(part[:1].upper() + part[1:] for part in lower.split("-"))
