"""Imports modules that the standard library imports only when they are needed.

A component only has the modules that are imported while it is built. An author cannot know these.
"""

from importlib import import_module

ENCODINGS = (
    "ascii base64_codec cp1252 hex_codec idna latin_1 punycode raw_unicode_escape unicode_escape "
    "utf_8_sig utf_16 utf_16_be utf_16_le utf_32"
)

import_module("_strptime")  # of `datetime.strptime`
for encoding in ENCODINGS.split():
    import_module(f"encodings.{encoding}")
