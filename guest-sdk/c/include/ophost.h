/*
 * The SDK for C: plugins for ophost.
 *
 * An operation is a function with metadata. Its input, its output and all documents are JSON texts:
 * strings of UTF-8 that end with a NUL byte. `ophost_json.h` reads and writes them.
 *
 * Memory: each run has a new instance of the plugin, and the host discards its memory after the
 * run. The SDK therefore frees nothing, and an operation can leave its memory allocated. All
 * pointers that the SDK returns are valid until the end of the run.
 */
#ifndef OPHOST_H
#define OPHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Failures ---- */

/* The kind of a failure. */
typedef enum {
    /* Whether a retry can succeed is unknown. */
    OPHOST_ERROR,
    /* A retry with the same input will fail too. */
    OPHOST_PERMANENT,
    /* The cause is temporary: a later retry can succeed. */
    OPHOST_RETRYABLE,
} ophost_failure_kind;

/* The failure of an operation, or of a call of the host. */
typedef struct ophost_failure {
    ophost_failure_kind kind;
    /* Message in one line. */
    const char *message;
    /* Code for programs, or NULL. */
    const char *code;
    /* JSON text with further information, or NULL. */
    const char *details;
    /* The failure that caused this one, or NULL. */
    const struct ophost_failure *cause;
    /* Where the failure was created. NULL and 0 for the failures of the host. */
    const char *function;
    const char *file;
    int line;
} ophost_failure;

#ifndef __cplusplus
/*
 * Creates a failure from a message and further fields:
 *
 *     return ophost_permanent("nothing is left", .code = "no-stock", .details = "{\"left\": 0}");
 */
#define ophost_error(...) OPHOST_NEW_FAILURE(OPHOST_ERROR, __VA_ARGS__)
#define ophost_permanent(...) OPHOST_NEW_FAILURE(OPHOST_PERMANENT, __VA_ARGS__)
#define ophost_retryable(...) OPHOST_NEW_FAILURE(OPHOST_RETRYABLE, __VA_ARGS__)
#define OPHOST_NEW_FAILURE(kind_, ...)                                                         \
    ophost_new_failure((ophost_failure){.kind = (kind_),                                       \
                                        .function = __func__,                                  \
                                        .file = __FILE__,                                      \
                                        .line = __LINE__,                                      \
                                        .message = __VA_ARGS__})
#endif

/* Copies a failure to the heap. */
ophost_failure *ophost_new_failure(ophost_failure failure);

/* Returns whether a failure is not NULL and has this code. */
bool ophost_has_code(const ophost_failure *failure, const char *code);

/*
 * Ends the run with a trap. The host shows the message and the place, and the functions that were
 * called. A failure is better, if the operation can return one.
 */
#define ophost_panic(message) ophost_panic_at((message), __FILE__, __LINE__)
__attribute__((noreturn)) void ophost_panic_at(const char *message, const char *file, int line);

/* ---- Operations ---- */

/* A key and a JSON text. */
typedef struct {
    const char *key;
    const char *value;
} ophost_annotation;

/*
 * Runs an operation on a JSON text that conforms to its input schema.
 *
 * Sets `output` to a JSON text and returns NULL, or returns a failure.
 */
typedef ophost_failure *(*ophost_function)(const char *input, const char **output);

/* An operation. Fields without a value are empty. */
typedef struct {
    /* Parts of `[a-z][a-z0-9_]*`, joined by dots. Required. */
    const char *name;
    /* Required. */
    const char *description;
    /* Required. */
    const char *category;
    /* JSON Schema of the input. Required, see OPHOST_JSON. */
    const char *input_schema;
    /* JSON Schema of the output. Required, see OPHOST_JSON. */
    const char *output_schema;
    /* Lists, see OPHOST_LIST. */
    const char *const *tags;
    const char *const *permissions;
    /* Models that the operation reads. */
    const char *const *models_in;
    /* Models that the operation reads and writes. */
    const char *const *models_out;
    /* Stage of a pipeline. */
    const char *stage;
    /* Whether direct calls are recorded by default. */
    bool async_enabled;
    /* Whether runs cannot have a record. */
    bool no_taskrun;
    /* Further settings, see OPHOST_ANNOTATIONS. */
    const ophost_annotation *annotations;
    /* Required. */
    ophost_function run;
} ophost_operation;

#ifndef __cplusplus
/* A list of texts: OPHOST_LIST("text", "web") */
#define OPHOST_LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A list of keys and values: OPHOST_ANNOTATIONS({"ophost.idempotent", "true"}) */
#define OPHOST_ANNOTATIONS(...) ((const ophost_annotation[]){__VA_ARGS__, {NULL, NULL}})
#endif

/* A JSON text, written without quotes and backslashes: OPHOST_JSON({"type": "object"}) */
#define OPHOST_JSON(...) #__VA_ARGS__

#ifndef __cplusplus
/*
 * Defines the operations of the plugin, once and at the end of a file:
 *
 *     OPHOST_PLUGIN(&word_count, &slugify)
 */
#define OPHOST_PLUGIN(...)                                                                     \
    const ophost_operation *const *ophost_operations(size_t *count) {                          \
        static const ophost_operation *const operations[] = {__VA_ARGS__};                     \
        *count = sizeof operations / sizeof operations[0];                                     \
        return operations;                                                                     \
    }
#endif
const ophost_operation *const *ophost_operations(size_t *count);

/* Returns the operation of this run. Operations with the same function differ in it. */
const ophost_operation *ophost_current_operation(void);

/* ---- Memory and texts ---- */

/* Returns memory that is filled with zeros. Ends the run if there is not enough memory. */
void *ophost_allocate(size_t size);

/* Returns a text like that of `printf`. */
__attribute__((format(printf, 1, 2))) const char *ophost_format(const char *format, ...);

/* ---- Log, progress and item errors ---- */

/* The level of a log entry. */
typedef enum {
    OPHOST_LOG_TRACE,
    OPHOST_LOG_DEBUG,
    OPHOST_LOG_INFO,
    OPHOST_LOG_WARN,
    OPHOST_LOG_ERROR,
} ophost_log_level;

/* Adds an entry to the log of the run. `data` is a JSON text, or NULL. */
void ophost_log(ophost_log_level level, const char *message, const char *data);

#define ophost_log_trace(message) ophost_log(OPHOST_LOG_TRACE, (message), NULL)
#define ophost_log_debug(message) ophost_log(OPHOST_LOG_DEBUG, (message), NULL)
#define ophost_log_info(message) ophost_log(OPHOST_LOG_INFO, (message), NULL)
#define ophost_log_warn(message) ophost_log(OPHOST_LOG_WARN, (message), NULL)
#define ophost_log_error(message) ophost_log(OPHOST_LOG_ERROR, (message), NULL)

/* Reports that `done` of `total` steps are completed. A `total` of 0 is unknown. */
void ophost_report_progress(uint64_t done, uint64_t total, const char *message);

/*
 * Adds the error of one item of a bulk input. The run continues. `index` counts from 0, `item` is a
 * JSON text.
 */
void ophost_add_item_error(uint64_t index, const char *item, const char *error);

/* ---- Context of the run ---- */

/* Returns the id of the run record. NULL if the run is not recorded. */
const char *ophost_run_id(void);
/* Returns the user of the run. NULL if the caller names none. */
const char *ophost_user_id(void);
/* Returns the idempotency key of the request, or NULL. */
const char *ophost_idempotency_key(void);
/* Returns the channel of the call, such as `cli`. */
const char *ophost_channel(void);
/* Returns whether the host commits no document changes of this run. */
bool ophost_dry_run(void);
/* Returns whether the caller set the test flag. */
bool ophost_test_mode(void);
/* Returns whether the caller wants verbose output. */
bool ophost_verbose(void);
/* Returns the number of the attempt, from 1. */
uint32_t ophost_attempt(void);
/* Returns the time at which the host stops the run, in milliseconds since 1970. */
uint64_t ophost_deadline(void);
/* Returns the current time, in milliseconds since 1970. */
uint64_t ophost_now(void);
/* Returns 64 random bits, suitable for secrets. */
uint64_t ophost_random(void);

/* ---- Documents ---- */

/*
 * A failed call changed nothing and returns a failure with a code: `denied`, `not-found`,
 * `exists`, `stale`, `invalid`, `too-large`, or another one of the host. An operation usually
 * returns it.
 */
#define OPHOST_CHECKED __attribute__((warn_unused_result))

/* A document. */
typedef struct {
    const char *id;
    /* Increases with every commit. 0 if this run has written the document. */
    uint64_t revision;
    /* JSON object. */
    const char *body;
} ophost_document;

/* The condition of a write. Without a value: no condition. */
typedef struct {
    enum {
        OPHOST_ALWAYS,
        /* No document has this id. */
        OPHOST_ABSENT,
        /* A document has this id. */
        OPHOST_PRESENT,
        /* The document has this revision. */
        OPHOST_AT_REVISION,
    } kind;
    uint64_t revision;
} ophost_condition;

/* A query. Fields without a value are empty. */
typedef struct {
    /* Filter, a JSON object. NULL matches all documents. */
    const char *filter;
    /* Paths of fields, `-path` for descending order, see OPHOST_LIST. */
    const char *const *sort;
    /* Maximum number of documents. 0 is unlimited. */
    size_t limit;
} ophost_query;

/* Documents in the order of a query. */
typedef struct {
    size_t length;
    ophost_document *items;
} ophost_documents;

/* The field of a document at a path, and a JSON text. */
typedef struct {
    const char *path;
    const char *value;
} ophost_field;

/* Reads a document. Sets the id to NULL if the document does not exist. */
OPHOST_CHECKED ophost_failure *ophost_get(const char *collection, const char *id,
                                          ophost_document *document);
/* Creates a document with a new id, and sets `id` to it unless it is NULL. */
OPHOST_CHECKED ophost_failure *ophost_insert(const char *collection, const char *body,
                                             const char **id);
/* Creates or replaces a document, if the condition holds. */
OPHOST_CHECKED ophost_failure *ophost_put(const char *collection, const char *id, const char *body,
                                          ophost_condition condition);
/* Sets fields of a document. */
OPHOST_CHECKED ophost_failure *ophost_set(const char *collection, const char *id,
                                          const ophost_field *fields, size_t length);
/* Merges a JSON object into a document. `null` deletes a field, and a list replaces a list. */
OPHOST_CHECKED ophost_failure *ophost_merge(const char *collection, const char *id,
                                            const char *patch);
/* Deletes a document, and sets `existed` unless it is NULL. */
OPHOST_CHECKED ophost_failure *ophost_delete(const char *collection, const char *id,
                                             bool *existed);
/* Reads the documents that match a query. */
OPHOST_CHECKED ophost_failure *ophost_find(const char *collection, ophost_query query,
                                           ophost_documents *documents);
/* Counts the documents that match a filter, or all if it is NULL. */
OPHOST_CHECKED ophost_failure *ophost_count(const char *collection, const char *filter,
                                            uint64_t *count);
/* Discards all writes of this run. */
void ophost_discard(void);

#ifdef __cplusplus
}
#endif

#endif
