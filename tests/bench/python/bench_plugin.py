"""A plugin in Python whose operation does the same as `slugify` of the Rust plugin `text`."""

import json
import re

from wit_world.imports import types

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
SLUG = {"type": "object", "properties": {"slug": {"type": "string"}}, "required": ["slug"]}
SEPARATORS = re.compile(r"[^a-z0-9]+")


class Operations:
    def describe(self):
        slugify = types.Operation(
            name="bench.slugify",
            description="Makes a slug of a text.",
            category="bench",
            input_schema=json.dumps(TEXT),
            output_schema=json.dumps(SLUG),
            tags=[],
            permissions=[],
            models_in=[],
            models_out=[],
            stage=None,
            async_enabled=False,
            create_taskrun=False,
            annotations=[],
        )
        return types.Plugin(
            name="bench", version="0.1.0", annotations=[], operations=[slugify]
        )

    def invoke(self, operation, input):
        text = json.loads(input)["text"].lower()
        return json.dumps({"slug": SEPARATORS.sub("-", text).strip("-")})
