/* Failures and panics. */

#include <string.h>

#include "internal.h"

ophost_failure *ophost_new_failure(ophost_failure failure) {
    ophost_failure *copy = ophost_allocate(sizeof failure);
    *copy = failure;
    return copy;
}

bool ophost_has_code(const ophost_failure *failure, const char *code) {
    return failure != NULL && failure->code != NULL && strcmp(failure->code, code) == 0;
}

static const char *place(const ophost_failure *failure) {
    if (failure->function == NULL) {
        return "";
    }
    const char *line = ophost_decimal((uint64_t)failure->line);
    return OPHOST_CONCAT("at ", failure->function, " (", failure->file, ":", line, ")");
}

const char *ophost_traceback(const ophost_failure *failure) {
    const char *text = place(failure);
    for (failure = failure->cause; failure != NULL; failure = failure->cause) {
        const char *before = *text == '\0' ? "" : "\n";
        const char *after = failure->function == NULL ? "" : "\n";
        text = OPHOST_CONCAT(text, before, "caused by: ", failure->message, after, place(failure));
    }
    return *text == '\0' ? NULL : text;
}

void ophost_panic_at(const char *message, const char *file, int line) {
    const char *number = ophost_decimal((uint64_t)line);
    /* The host takes the message of the failure from an entry that begins so. */
    const char *text = OPHOST_CONCAT("panicked at ", file, ":", number, ": ", message);
    ophost_log_error(text);
    __builtin_trap();
}
