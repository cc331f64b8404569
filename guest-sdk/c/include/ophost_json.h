/*
 * JSON for operations, with the library yyjson: https://ibireme.github.io/yyjson/doc/doxygen/html/
 *
 * All integers of 64 bits are exact: `yyjson_get_sint` and `yyjson_get_uint`.
 */
#ifndef OPHOST_JSON_H
#define OPHOST_JSON_H

#include "yyjson.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the root of a JSON text. Ends the run if the text is not JSON. */
yyjson_val *ophost_json_read(const char *text);

/* Returns a new document. Its root is an empty object. */
yyjson_mut_doc *ophost_json_object(void);

/* Returns the JSON text of a document. Ends the run if a text in it is not UTF-8. */
const char *ophost_json_write(const yyjson_mut_doc *document);

#ifdef __cplusplus
}
#endif

#endif
