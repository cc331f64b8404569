/* Converts a text to a slug, a part of a URL. */

#include <ophost.h>
#include <ophost_json.h>
#include <stdint.h>
#include <string.h>

#include "characters.h"
#include "latin.h"
#include "text.h"

static slice truncated(slice word, size_t max_length) {
    slice rest = word;
    while (rest.start < rest.end && max_length-- > 0) {
        next_character(&rest);
    }
    return (slice){word.start, rest.start};
}

static char *append(char *end, slice text) {
    size_t length = (size_t)(text.end - text.start);
    memcpy(end, text.start, length);
    return end + length;
}

/* Joins the words of a text up to `max_length` characters. */
static slice join(slice text, slice separator, size_t max_length) {
    /* Two words have at least one character between them. */
    size_t size = (size_t)(text.end - text.start) * (size_t)(1 + separator.end - separator.start);
    char *joined = ophost_allocate(size + 1);
    slice word = truncated(next_word(&text, is_alphanumeric), max_length);
    char *end = append(joined, word);
    size_t length = count_characters(word);
    while (word = next_word(&text, is_alphanumeric), word.start < word.end) {
        length += count_characters(separator) + count_characters(word);
        if (length > max_length) {
            break;
        }
        end = append(append(end, separator), word);
    }
    return (slice){joined, end};
}

static slice text_of(yyjson_val *value) {
    const char *text = yyjson_get_str(value);
    return (slice){text, text + yyjson_get_len(value)};
}

static ophost_failure *run(const char *input, const char **output) {
    yyjson_val *title = ophost_json_read(input);
    yyjson_val *limit = yyjson_obj_get(title, "max_length");
    uint64_t max_length = yyjson_is_uint(limit) ? yyjson_get_uint(limit) : SIZE_MAX;
    slice slug = join(fold(text_of(yyjson_obj_get(title, "text"))),
                      text_of(yyjson_obj_get(title, "separator")),
                      max_length < SIZE_MAX ? (size_t)max_length : SIZE_MAX);

    yyjson_mut_doc *result = ophost_json_object();
    yyjson_mut_obj_add_strn(result, yyjson_mut_doc_get_root(result), "slug", slug.start,
                            (size_t)(slug.end - slug.start));
    *output = ophost_json_write(result);
    return NULL;
}

const ophost_operation slugify = {
    .name = "slugify",
    .description =
        "Converts a text to a part of a URL: `Salt & Pepper` becomes `salt-pepper`.\n\n"
        "Latin letters lose their accents. Letters of other scripts are kept.",
    .category = "text",
    .tags = OPHOST_LIST("text", "web"),
    .async_enabled = true,
    .input_schema = OPHOST_JSON({
        "type": "object",
        "description": "The text to convert, and the format of the slug.",
        "properties": {
            "text": {"type": "string", "description": "The text, such as a title."},
            "separator": {
                "type": "string",
                "maxLength": 8,
                "default": "-",
                "description": "The separator of two words."
            },
            "max_length": {
                "type": ["integer", "null"],
                "minimum": 1,
                "default": null,
                "description": "The maximum number of characters of the slug. Words that do not fit are dropped, and the first word is truncated."
            }
        },
        "required": ["text"],
        "additionalProperties": false
    }),
    .output_schema = OPHOST_JSON({
        "type": "object",
        "description": "A text for a part of a URL.",
        "properties": {
            "slug": {
                "type": "string",
                "description": "Letters and digits in lower case, with a separator between two words."
            }
        },
        "required": ["slug"],
        "additionalProperties": false
    }),
    .run = run,
};
