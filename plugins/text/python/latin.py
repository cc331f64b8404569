"""Removes the accents of Latin letters."""

import unicodedata

# Latin letters that Unicode does not decompose.
LETTERS = {
    "æ": "ae",
    "ð": "d",
    "đ": "d",
    "ħ": "h",
    "ı": "i",
    "ĳ": "ij",
    "ĸ": "k",
    "ŀ": "l",
    "ł": "l",
    "ŉ": "n",
    "ŋ": "n",
    "ø": "o",
    "œ": "oe",
    "ſ": "s",
    "ß": "ss",
    "ŧ": "t",
    "þ": "th",
}


def fold(text: str) -> str:
    """Returns `text` in lower case, with Latin letters in ASCII.

    Letters of other scripts are kept.
    """
    return "".join(map(_fold_letter, text.lower()))


def _fold_letter(letter: str) -> str:
    # Combining accents: in decomposed text, `e` and its accent are two characters.
    if "\u0300" <= letter <= "\u036f":
        return ""
    base = unicodedata.normalize("NFD", letter)[0]
    return base if base.isascii() else LETTERS.get(letter, letter)
