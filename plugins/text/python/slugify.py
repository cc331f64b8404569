"""Converts a text to a slug, a part of a URL."""

import itertools

from latin import fold
from ophost_sdk import BaseModel, Field, operation


class Title(BaseModel):
    """The text to convert, and the format of the slug."""

    text: str = Field(..., description="The text, such as a title")
    separator: str = Field("-", max_length=8, description="The separator of two words")
    max_length: int | None = Field(
        None,
        ge=1,
        description="The maximum number of characters of the slug. Words that do not fit are "
        "dropped, and the first word is truncated.",
    )


class Slug(BaseModel):
    """A text for a part of a URL."""

    slug: str = Field(
        ..., description="Letters and digits in lower case, with a separator between two words"
    )


@operation(category="text", tags=["text", "web"], async_enabled=True)
def slugify(title: Title) -> Slug:
    """Converts a text to a part of a URL: `Salt & Pepper` becomes `salt-pepper`.

    Latin letters lose their accents. Letters of other scripts are kept.
    """
    return Slug(slug=_join(_words(fold(title.text)), title.separator, title.max_length))


def _words(text: str) -> list[str]:
    groups = itertools.groupby(text, str.isalnum)
    return ["".join(letters) for is_word, letters in groups if is_word]


def _join(words: list[str], separator: str, max_length: int | None) -> str:
    """Joins words up to `max_length` characters."""
    if max_length is None:
        return separator.join(words)
    joined = "".join(words[:1])[:max_length]
    for word in words[1:]:
        longer = joined + separator + word
        if len(longer) > max_length:
            break
        joined = longer
    return joined
