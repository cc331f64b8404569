/* Functions that the sources of the SDK share. */
#ifndef OPHOST_INTERNAL_H
#define OPHOST_INTERNAL_H

#include "ophost.h"
#include "plugin.h"

/* Returns a text for the host, without a copy. The host does not change it. */
plugin_string_t ophost_borrow(const char *text);

/* Returns a copy of a text, which the bindings free after the call. */
plugin_string_t ophost_copy(const char *text);

/* Returns a text of the host with a NUL byte at its end. */
const char *ophost_terminate(plugin_string_t text);

/* Returns the concatenation of texts. The last one is followed by NULL. */
const char *ophost_concat(const char *const *parts);

#define OPHOST_CONCAT(...) ophost_concat((const char *const[]){__VA_ARGS__, NULL})

/* Returns a number in decimal digits. */
const char *ophost_decimal(uint64_t number);

/* Returns the places and the causes of a failure, or NULL if none is known. */
const char *ophost_traceback(const ophost_failure *failure);

#endif
