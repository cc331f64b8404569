"""Counts the words, lines and characters of a text."""

from collections import Counter

from ophost_sdk import BaseModel, Field, operation


class Text(BaseModel):
    """The text to count."""

    text: str = Field(..., description="The text")
    top: int = Field(0, ge=0, le=50, description="The number of most frequent words to list")


class Frequency(BaseModel):
    """The frequency of a word."""

    word: str = Field(..., description="The word")
    count: int = Field(..., description="The number of occurrences")


class Counts(BaseModel):
    """The counts of a text."""

    words: int = Field(
        ..., description="The number of words. A word is a sequence between white space."
    )
    lines: int = Field(
        ..., description="The number of lines. A line break after the last line is optional."
    )
    characters: int = Field(..., description="The number of Unicode code points")
    most_frequent: list[Frequency] = Field(
        ...,
        description="The most frequent words, in lower case and without punctuation around them",
    )


@operation(category="text", tags=["text", "statistics"], async_enabled=True)
def word_count(input: Text) -> Counts:
    """Counts the words, lines and characters of a text."""
    text = input.text
    return Counts(
        words=len(text.split()),
        lines=text.count("\n") + (text[-1:] not in ("", "\n")),
        characters=len(text),
        most_frequent=_most_frequent(text, input.top),
    )


def _most_frequent(text: str, top: int) -> list[Frequency]:
    """Returns the `top` most frequent words, those of equal frequency in alphabetical order."""
    counts = Counter(word for word in map(_normalize, text.split()) if word)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Frequency(word=word, count=count) for word, count in ordered[:top]]


def _normalize(word: str) -> str:
    """Returns a word in lower case, without the punctuation around it."""
    while word and not word[0].isalnum():
        word = word[1:]
    while word and not word[-1].isalnum():
        word = word[:-1]
    return word.lower()
