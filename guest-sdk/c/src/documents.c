/* Documents. */

#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* The maximum number of documents of a page. */
#define PAGE 1000

static ophost_failure *failed(const char *code, const char *message) {
    return ophost_new_failure((ophost_failure){.code = code, .message = message});
}

/* Returns the failure of a call for a document, or for a collection if `id` is NULL. */
static ophost_failure *failure(ophost_plugin_documents_error_t error, const char *collection,
                               const char *id) {
    const char *document = id == NULL
                               ? OPHOST_CONCAT("collection `", collection, "`")
                               : OPHOST_CONCAT("document `", id, "` in `", collection, "`");
    switch (error.tag) {
        case OPHOST_PLUGIN_DOCUMENTS_ERROR_DENIED:
            return failed("denied", ophost_terminate(error.val.denied));
        case OPHOST_PLUGIN_DOCUMENTS_ERROR_NOT_FOUND:
            return failed("not-found", OPHOST_CONCAT(document, " does not exist"));
        case OPHOST_PLUGIN_DOCUMENTS_ERROR_EXISTS:
            return failed("exists", OPHOST_CONCAT(document, " exists already"));
        case OPHOST_PLUGIN_DOCUMENTS_ERROR_STALE: {
            ophost_failure *stale =
                failed("stale", OPHOST_CONCAT(document, " has another revision"));
            if (error.val.stale.is_some) {
                const char *revision = ophost_decimal(error.val.stale.val);
                stale->details = OPHOST_CONCAT("{\"revision\":", revision, "}");
            }
            return stale;
        }
        case OPHOST_PLUGIN_DOCUMENTS_ERROR_INVALID:
            return failed("invalid", ophost_terminate(error.val.invalid));
        case OPHOST_PLUGIN_DOCUMENTS_ERROR_TOO_LARGE:
            return failed("too-large", ophost_terminate(error.val.too_large));
        default:
            return failed(ophost_terminate(error.val.other.f0),
                          ophost_terminate(error.val.other.f1));
    }
}

static ophost_document received(ophost_plugin_documents_document_t document) {
    return (ophost_document){
        .id = ophost_terminate(document.id),
        .revision = document.revision,
        .body = ophost_terminate(document.body),
    };
}

ophost_failure *ophost_get(const char *collection, const char *id, ophost_document *document) {
    plugin_string_t name = ophost_borrow(collection), key = ophost_borrow(id);
    ophost_plugin_documents_option_document_t found;
    ophost_plugin_documents_error_t error;
    if (!ophost_plugin_documents_get(&name, &key, &found, &error)) {
        return failure(error, collection, id);
    }
    *document = found.is_some ? received(found.val) : (ophost_document){0};
    return NULL;
}

ophost_failure *ophost_insert(const char *collection, const char *body, const char **id) {
    plugin_string_t name = ophost_borrow(collection), json = ophost_borrow(body);
    ophost_plugin_documents_condition_t condition = {
        .tag = OPHOST_PLUGIN_DOCUMENTS_CONDITION_ABSENT};
    plugin_string_t created;
    ophost_plugin_documents_error_t error;
    if (!ophost_plugin_documents_put(&name, NULL, &json, &condition, &created, &error)) {
        return failure(error, collection, NULL);
    }
    if (id != NULL) {
        *id = ophost_terminate(created);
    }
    return NULL;
}

ophost_failure *ophost_put(const char *collection, const char *id, const char *body,
                           ophost_condition condition) {
    plugin_string_t name = ophost_borrow(collection), key = ophost_borrow(id);
    plugin_string_t json = ophost_borrow(body);
    /* Both enumerations have the order of the contract. */
    ophost_plugin_documents_condition_t converted = {
        .tag = (uint8_t)condition.kind,
        .val = {.at = condition.revision},
    };
    plugin_string_t same;
    ophost_plugin_documents_error_t error;
    bool is_put = ophost_plugin_documents_put(&name, &key, &json, &converted, &same, &error);
    return is_put ? NULL : failure(error, collection, id);
}

ophost_failure *ophost_set(const char *collection, const char *id, const ophost_field *fields,
                           size_t length) {
    plugin_string_t name = ophost_borrow(collection), key = ophost_borrow(id);
    ophost_plugin_documents_tuple2_path_json_t *items = ophost_allocate(length * sizeof *items);
    for (size_t i = 0; i < length; i++) {
        items[i].f0 = ophost_borrow(fields[i].path);
        items[i].f1 = ophost_borrow(fields[i].value);
    }
    ophost_plugin_documents_list_tuple2_path_json_t list = {.ptr = items, .len = length};
    ophost_plugin_documents_error_t error;
    bool is_set = ophost_plugin_documents_set(&name, &key, &list, &error);
    return is_set ? NULL : failure(error, collection, id);
}

ophost_failure *ophost_merge(const char *collection, const char *id, const char *patch) {
    plugin_string_t name = ophost_borrow(collection), key = ophost_borrow(id);
    plugin_string_t json = ophost_borrow(patch);
    ophost_plugin_documents_error_t error;
    bool is_merged = ophost_plugin_documents_merge(&name, &key, &json, &error);
    return is_merged ? NULL : failure(error, collection, id);
}

ophost_failure *ophost_delete(const char *collection, const char *id, bool *existed) {
    plugin_string_t name = ophost_borrow(collection), key = ophost_borrow(id);
    bool is_deleted;
    ophost_plugin_documents_error_t error;
    if (!ophost_plugin_documents_delete(&name, &key, &is_deleted, &error)) {
        return failure(error, collection, id);
    }
    if (existed != NULL) {
        *existed = is_deleted;
    }
    return NULL;
}

static ophost_plugin_documents_list_sort_key_t sort_keys(const char *const *paths) {
    size_t length = 0;
    while (paths != NULL && paths[length] != NULL) {
        length++;
    }
    ophost_plugin_documents_sort_key_t *keys = ophost_allocate(length * sizeof *keys);
    for (size_t i = 0; i < length; i++) {
        keys[i].descending = paths[i][0] == '-';
        keys[i].path = ophost_borrow(paths[i] + keys[i].descending);
    }
    return (ophost_plugin_documents_list_sort_key_t){.ptr = keys, .len = length};
}

static void append(ophost_documents *documents, ophost_plugin_documents_list_document_t page) {
    size_t length = documents->length + page.len;
    ophost_document *items = realloc(documents->items, (length + 1) * sizeof *items);
    if (items == NULL) {
        __builtin_trap();
    }
    for (size_t i = 0; i < page.len; i++) {
        items[documents->length + i] = received(page.ptr[i]);
    }
    *documents = (ophost_documents){.length = length, .items = items};
}

ophost_failure *ophost_find(const char *collection, ophost_query query,
                            ophost_documents *documents) {
    plugin_string_t name = ophost_borrow(collection);
    size_t limit = query.limit == 0 ? SIZE_MAX : query.limit;
    ophost_plugin_documents_query_t request = {
        .filter = ophost_borrow(query.filter == NULL ? "{}" : query.filter),
        .sort = sort_keys(query.sort),
        .limit = {.is_some = true},
    };
    *documents = (ophost_documents){0};
    do {
        size_t rest = limit - documents->length;
        request.limit.val = rest < PAGE ? (uint32_t)rest : PAGE;
        ophost_plugin_documents_page_t page;
        ophost_plugin_documents_error_t error;
        if (!ophost_plugin_documents_find(&name, &request, &page, &error)) {
            return failure(error, collection, NULL);
        }
        append(documents, page.documents);
        request.cursor.is_some = page.next.is_some;
        request.cursor.val = page.next.val;
    } while (request.cursor.is_some && documents->length < limit);
    return NULL;
}

ophost_failure *ophost_count(const char *collection, const char *filter, uint64_t *count) {
    plugin_string_t name = ophost_borrow(collection);
    plugin_string_t json = ophost_borrow(filter == NULL ? "{}" : filter);
    ophost_plugin_documents_error_t error;
    bool is_counted = ophost_plugin_documents_count(&name, &json, count, &error);
    return is_counted ? NULL : failure(error, collection, NULL);
}

void ophost_discard(void) {
    ophost_plugin_documents_discard();
}
