/* The operations of the language table in C. `README.md` of the parent directory describes them. */

#include <ophost.h>
#include <ophost_json.h>
#include <stdlib.h>
#include <unistd.h>

#define NO_INPUT OPHOST_JSON({"type": "object", "additionalProperties": false})
#define NO_OUTPUT OPHOST_JSON({"type": "null"})

#define ECHO                                                                                   \
    OPHOST_JSON({                                                                              \
        "type": "object",                                                                      \
        "description": "A text and a number.",                                                 \
        "properties": {                                                                        \
            "text": {"type": "string", "description": "The text."},                            \
            "times": {                                                                         \
                "type": "integer",                                                             \
                "minimum": 1,                                                                  \
                "maximum": 3,                                                                  \
                "default": 2,                                                                  \
                "description": "The number."                                                   \
            }                                                                                  \
        },                                                                                     \
        "required": ["text"],                                                                  \
        "additionalProperties": false                                                          \
    })

/* Returns its input, which it reads and writes. */
static ophost_failure *copy(const char *input, const char **output) {
    yyjson_val *fields = ophost_json_read(input);
    yyjson_mut_doc *result = ophost_json_object();
    yyjson_mut_doc_set_root(result, yyjson_val_mut_copy(result, fields));
    *output = ophost_json_write(result);
    return NULL;
}

static const ophost_operation echo = {
    .name = "echo",
    .description = "Returns its input.",
    .category = "languages",
    .tags = OPHOST_LIST("first", "second"),
    .input_schema = ECHO,
    .output_schema = ECHO,
    .run = copy,
};

#define INTEGERS                                                                               \
    OPHOST_JSON({                                                                              \
        "type": "object",                                                                      \
        "description": "Integers of 64 bits.",                                                 \
        "properties": {                                                                        \
            "signed": {                                                                        \
                "type": "integer",                                                             \
                "minimum": -9223372036854775808,                                               \
                "maximum": 9223372036854775807                                                 \
            },                                                                                 \
            "unsigned": {"type": "integer", "minimum": 0, "maximum": 18446744073709551615}     \
        },                                                                                     \
        "required": ["signed", "unsigned"],                                                    \
        "additionalProperties": false                                                          \
    })

static ophost_failure *copy_integers(const char *input, const char **output) {
    yyjson_val *fields = ophost_json_read(input);
    int64_t with_sign = yyjson_get_sint(yyjson_obj_get(fields, "signed"));
    uint64_t without_sign = yyjson_get_uint(yyjson_obj_get(fields, "unsigned"));
    yyjson_mut_doc *result = ophost_json_object();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(result);
    yyjson_mut_obj_add_sint(result, root, "signed", with_sign);
    yyjson_mut_obj_add_uint(result, root, "unsigned", without_sign);
    *output = ophost_json_write(result);
    return NULL;
}

static const ophost_operation integers = {
    .name = "integers",
    .description = "Returns its integers.",
    .category = "languages",
    .input_schema = INTEGERS,
    .output_schema = INTEGERS,
    .run = copy_integers,
};

/* Adds 10 to the count of a note. Other fields are kept. */
static ophost_failure *add_ten(const ophost_document *note) {
    int64_t count = yyjson_get_sint(yyjson_obj_get(ophost_json_read(note->body), "count"));
    const char *sum = ophost_format("%lld", (long long)count + 10);
    return ophost_set("notes", note->id, &(ophost_field){"count", sum}, 1);
}

static ophost_failure *change(const char *input, const char **output) {
    yyjson_mut_doc *result = ophost_json_object();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(result);
    yyjson_mut_val *changed = yyjson_mut_obj_add_arr(result, root, "changed");
    ophost_failure *failure = ophost_delete("notes", "c", NULL);
    if (failure != NULL) {
        return failure;
    }
    int64_t minimum = yyjson_get_sint(yyjson_obj_get(ophost_json_read(input), "minimum"));
    ophost_query query = {
        .filter = ophost_format("{\"count\": {\"$gte\": %lld}}", (long long)minimum),
        .sort = OPHOST_LIST("-count"),
    };
    ophost_documents notes;
    failure = ophost_find("notes", query, &notes);
    for (size_t i = 0; failure == NULL && i < notes.length; i++) {
        failure = add_ten(&notes.items[i]);
        yyjson_mut_arr_add_str(result, changed, notes.items[i].id);
    }
    if (failure != NULL) {
        return failure;
    }
    const char *created;
    failure = ophost_insert("notes", "{\"title\": \"new\", \"count\": 0}", &created);
    if (failure != NULL) {
        return failure;
    }
    uint64_t total;
    failure = ophost_count("notes", NULL, &total);
    if (failure != NULL) {
        return failure;
    }
    yyjson_mut_obj_add_str(result, root, "created", created);
    yyjson_mut_obj_add_uint(result, root, "total", total);
    *output = ophost_json_write(result);
    return NULL;
}

static const ophost_operation change_notes = {
    .name = "change_notes",
    .description = "Adds 10 to notes, deletes the note `c`, and creates a note.",
    .category = "languages",
    .models_out = OPHOST_LIST("Note"),
    .async_enabled = true,
    .input_schema = OPHOST_JSON({
        "type": "object",
        "properties": {"minimum": {"type": "integer"}},
        "required": ["minimum"],
        "additionalProperties": false
    }),
    .output_schema = OPHOST_JSON({
        "type": "object",
        "properties": {
            "changed": {"type": "array", "items": {"type": "string"}},
            "created": {"type": "string"},
            "total": {"type": "integer", "minimum": 0}
        },
        "required": ["changed", "created", "total"],
        "additionalProperties": false
    }),
    .run = change,
};

static ophost_failure *write_log(const char *input, const char **output) {
    (void)input, (void)output;
    ophost_log_trace("a trace");
    ophost_log_debug("a debug");
    ophost_log_info("an info");
    ophost_log_warn("a warn");
    ophost_log_error("an error");
    return NULL;
}

static const ophost_operation log_levels = {
    .name = "log_levels",
    .description = "Writes a log entry of each level.",
    .category = "languages",
    .input_schema = NO_INPUT,
    .output_schema = NO_OUTPUT,
    .run = write_log,
};

static ophost_failure *report(const char *input, const char **output) {
    (void)input, (void)output;
    ophost_report_progress(1, 4, "a quarter");
    usleep(500 * 1000);
    return NULL;
}

static const ophost_operation report_progress = {
    .name = "report_progress",
    .description = "Reports progress and pauses.",
    .category = "languages",
    .input_schema = NO_INPUT,
    .output_schema = NO_OUTPUT,
    .run = report,
};

static ophost_failure *add_errors(const char *input, const char **output) {
    (void)input, (void)output;
    ophost_add_item_error(0, "\"first\"", "the first is broken");
    ophost_add_item_error(2, "\"third\"", "the third is broken");
    return NULL;
}

static const ophost_operation add_item_errors = {
    .name = "add_item_errors",
    .description = "Adds errors for two items.",
    .category = "languages",
    .input_schema = NO_INPUT,
    .output_schema = NO_OUTPUT,
    .run = add_errors,
};

static ophost_failure *run_out(const char *input, const char **output) {
    (void)input, (void)output;
    return ophost_permanent("nothing is left", .code = "no-stock", .details = "{\"left\": 0}");
}

static const ophost_operation fail = {
    .name = "fail",
    .description = "Returns a permanent failure.",
    .category = "languages",
    .input_schema = NO_INPUT,
    .output_schema = NO_OUTPUT,
    .run = run_out,
};

static ophost_failure *read_number(const char *text, long *number) {
    char *end;
    *number = strtol(text, &end, 10);
    return end == text ? ophost_error("no digits") : NULL;
}

static ophost_failure *raise_error(const char *input, const char **output) {
    (void)input, (void)output;
    long number;
    ophost_failure *failure = read_number("nothing", &number);
    return failure == NULL ? NULL : ophost_error("cannot read the number", .cause = failure);
}

static const ophost_operation raise_operation = {
    .name = "raise",
    .description = "Fails with an error that has a cause.",
    .category = "languages",
    .input_schema = NO_INPUT,
    .output_schema = NO_OUTPUT,
    .run = raise_error,
};

static ophost_failure *abort_run(const char *input, const char **output) {
    (void)input, (void)output;
    ophost_panic("the end");
}

static const ophost_operation abort_operation = {
    .name = "abort",
    .description = "Ends without a result.",
    .category = "languages",
    .input_schema = NO_INPUT,
    .output_schema = NO_OUTPUT,
    .run = abort_run,
};

static ophost_failure *run_forever(const char *input, const char **output) {
    (void)input, (void)output;
    for (volatile uint64_t turns = 0;; turns++) {
    }
}

static const ophost_operation spin = {
    .name = "spin",
    .description = "Loops forever.",
    .category = "languages",
    .input_schema = NO_INPUT,
    .output_schema = NO_OUTPUT,
    .run = run_forever,
};

static ophost_failure *allocate_forever(const char *input, const char **output) {
    (void)input, (void)output;
    for (;;) {
        volatile char *block = ophost_allocate(1 << 20);
        block[0] = 1;
    }
}

static const ophost_operation allocate = {
    .name = "allocate",
    .description = "Allocates memory forever.",
    .category = "languages",
    .input_schema = NO_INPUT,
    .output_schema = NO_OUTPUT,
    .run = allocate_forever,
};

OPHOST_PLUGIN(&echo, &integers, &change_notes, &log_levels, &report_progress, &add_item_errors,
              &fail, &raise_operation, &abort_operation, &spin, &allocate)
