/* JSON with yyjson. */

#include "ophost_json.h"

#include <string.h>

#include "internal.h"

yyjson_val *ophost_json_read(const char *text) {
    yyjson_read_err error;
    /* Without a flag for it, yyjson does not change the text. */
    yyjson_doc *document = yyjson_read_opts((char *)text, strlen(text), 0, NULL, &error);
    if (document == NULL) {
        ophost_panic(OPHOST_CONCAT("cannot parse JSON: ", error.msg));
    }
    return yyjson_doc_get_root(document);
}

yyjson_mut_doc *ophost_json_object(void) {
    yyjson_mut_doc *document = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(document);
    if (root == NULL) {
        ophost_panic("out of memory");
    }
    yyjson_mut_doc_set_root(document, root);
    return document;
}

const char *ophost_json_write(const yyjson_mut_doc *document) {
    yyjson_write_err error;
    const char *text = yyjson_mut_write_opts(document, 0, NULL, NULL, &error);
    if (text == NULL) {
        ophost_panic(OPHOST_CONCAT("cannot write JSON: ", error.msg));
    }
    return text;
}
