/* Memory and texts. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void *ophost_allocate(size_t size) {
    void *memory = calloc(1, size == 0 ? 1 : size);
    if (memory == NULL) {
        /* The host reports the memory limit. */
        __builtin_trap();
    }
    return memory;
}

const char *ophost_format(const char *format, ...) {
    va_list arguments, copy;
    va_start(arguments, format);
    va_copy(copy, arguments);
    int length = vsnprintf(NULL, 0, format, copy);
    va_end(copy);
    if (length < 0) {
        ophost_panic("cannot format a text");
    }
    char *text = ophost_allocate((size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

plugin_string_t ophost_borrow(const char *text) {
    return (plugin_string_t){.ptr = (uint8_t *)text, .len = strlen(text)};
}

plugin_string_t ophost_copy(const char *text) {
    size_t length = strlen(text);
    uint8_t *copy = ophost_allocate(length);
    memcpy(copy, text, length);
    return (plugin_string_t){.ptr = copy, .len = length};
}

const char *ophost_terminate(plugin_string_t text) {
    char *copy = realloc(text.ptr, text.len + 1);
    if (copy == NULL) {
        __builtin_trap();
    }
    copy[text.len] = '\0';
    return copy;
}

const char *ophost_concat(const char *const *parts) {
    size_t length = 0;
    for (size_t i = 0; parts[i] != NULL; i++) {
        length += strlen(parts[i]);
    }
    char *text = ophost_allocate(length + 1);
    char *end = text;
    for (size_t i = 0; parts[i] != NULL; i++) {
        size_t part = strlen(parts[i]);
        memcpy(end, parts[i], part);
        end += part;
    }
    return text;
}

const char *ophost_decimal(uint64_t number) {
    /* The greatest number has 20 digits. */
    char *digit = (char *)ophost_allocate(21) + 20;
    do {
        *--digit = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return digit;
}
