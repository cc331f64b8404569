"""Operations on text.

- `word_count`: counts the words, lines and characters of a text.
- `slugify`: converts a text to a part of a URL; `latin` removes the accents.
"""

from slugify import slugify
from word_count import word_count

__all__ = ["slugify", "word_count"]
