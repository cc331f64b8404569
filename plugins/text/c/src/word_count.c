/* Counts the words, lines and characters of a text. */

#include <ophost.h>
#include <ophost_json.h>
#include <stdlib.h>
#include <string.h>

#include "characters.h"
#include "text.h"

/* The frequency of a word. */
typedef struct {
    const char *word;
    size_t count;
} frequency;

/* The words of a text, in lower case and without the punctuation around them. */
typedef struct {
    size_t length;
    frequency *items;
} frequencies;

/* A word is a sequence of characters between white space. */
static bool is_part_of_word(uint32_t character) {
    return !is_white_space(character);
}

static size_t count_words(slice text) {
    size_t count = 0;
    for (slice word; word = next_word(&text, is_part_of_word), word.start < word.end;) {
        count++;
    }
    return count;
}

/* A line break after the last line is optional. */
static size_t count_lines(slice text) {
    size_t count = 0;
    while (text.start < text.end) {
        const char *end = memchr(text.start, '\n', (size_t)(text.end - text.start));
        text.start = end == NULL ? text.end : end + 1;
        count++;
    }
    return count;
}

/* Returns a word in lower case from its first to its last letter or digit. */
static const char *normalized(slice word) {
    /* A lower-case letter has at most one byte more than its capital, which has at least two. */
    char *text = ophost_allocate((size_t)(word.end - word.start) * 3 / 2 + 1);
    char *end = text, *last = text;
    while (word.start < word.end) {
        uint32_t character = next_character(&word);
        bool is_part = is_alphanumeric(character);
        if (!is_part && end == text) {
            continue;
        }
        end = put_character(end, to_lower(character));
        if (is_part) {
            last = end;
        }
    }
    *last = '\0';
    return text;
}

static int by_word(const void *one, const void *other) {
    return strcmp(((const frequency *)one)->word, ((const frequency *)other)->word);
}

static int by_count(const void *one, const void *other) {
    size_t first = ((const frequency *)one)->count, second = ((const frequency *)other)->count;
    return first == second ? by_word(one, other) : first < second ? 1 : -1;
}

/* Returns the words of a text by frequency. Words of equal frequency are in alphabetical order. */
static frequencies count_each(slice text) {
    frequency *items = ophost_allocate(count_words(text) * sizeof *items);
    size_t length = 0;
    for (slice word; word = next_word(&text, is_part_of_word), word.start < word.end;) {
        const char *normal = normalized(word);
        if (*normal != '\0') {
            items[length++] = (frequency){.word = normal, .count = 1};
        }
    }
    qsort(items, length, sizeof *items, by_word);
    size_t different = 0;
    for (size_t i = 0; i < length; i++) {
        if (different > 0 && strcmp(items[different - 1].word, items[i].word) == 0) {
            items[different - 1].count++;
        } else {
            items[different++] = items[i];
        }
    }
    qsort(items, different, sizeof *items, by_count);
    return (frequencies){.length = different, .items = items};
}

static ophost_failure *run(const char *input, const char **output) {
    yyjson_val *fields = ophost_json_read(input);
    yyjson_val *value = yyjson_obj_get(fields, "text");
    slice text = {yyjson_get_str(value), yyjson_get_str(value) + yyjson_get_len(value)};
    uint64_t top = yyjson_get_uint(yyjson_obj_get(fields, "top"));

    yyjson_mut_doc *result = ophost_json_object();
    yyjson_mut_val *counts = yyjson_mut_doc_get_root(result);
    yyjson_mut_obj_add_uint(result, counts, "words", count_words(text));
    yyjson_mut_obj_add_uint(result, counts, "lines", count_lines(text));
    yyjson_mut_obj_add_uint(result, counts, "characters", count_characters(text));
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(result, counts, "most_frequent");
    frequencies words = top == 0 ? (frequencies){0} : count_each(text);
    for (size_t i = 0; i < words.length && i < top; i++) {
        yyjson_mut_val *item = yyjson_mut_arr_add_obj(result, list);
        yyjson_mut_obj_add_str(result, item, "word", words.items[i].word);
        yyjson_mut_obj_add_uint(result, item, "count", words.items[i].count);
    }
    *output = ophost_json_write(result);
    return NULL;
}

const ophost_operation word_count = {
    .name = "word_count",
    .description = "Counts the words, lines and characters of a text.",
    .category = "text",
    .tags = OPHOST_LIST("text", "statistics"),
    .async_enabled = true,
    .input_schema = OPHOST_JSON({
        "type": "object",
        "description": "The text to count.",
        "properties": {
            "text": {"type": "string", "description": "The text."},
            "top": {
                "type": "integer",
                "minimum": 0,
                "maximum": 50,
                "default": 0,
                "description": "The number of most frequent words to list."
            }
        },
        "required": ["text"],
        "additionalProperties": false
    }),
    .output_schema = OPHOST_JSON({
        "type": "object",
        "description": "The counts of a text.",
        "properties": {
            "words": {
                "type": "integer",
                "description": "The number of words. A word is a sequence of characters between white space."
            },
            "lines": {
                "type": "integer",
                "description": "The number of lines. A line break after the last line is optional."
            },
            "characters": {
                "type": "integer",
                "description": "The number of Unicode code points. A letter can consist of several."
            },
            "most_frequent": {
                "type": "array",
                "description": "The most frequent words, in lower case and without the punctuation around them.",
                "items": {
                    "type": "object",
                    "description": "The frequency of a word.",
                    "properties": {
                        "word": {"type": "string", "description": "The word."},
                        "count": {"type": "integer", "description": "The number of occurrences."}
                    },
                    "required": ["word", "count"],
                    "additionalProperties": false
                }
            }
        },
        "required": ["words", "lines", "characters", "most_frequent"],
        "additionalProperties": false
    }),
    .run = run,
};
