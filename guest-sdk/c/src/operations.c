/* The exports of the plugin: the description and the call of its operations. */

#include <string.h>

#include "internal.h"

/* The build sets these macros from `plugin.toml`. */
#ifndef OPHOST_PLUGIN_NAME
#error "build the plugin with `ophost build`, or define OPHOST_PLUGIN_NAME and _VERSION"
#endif

/* The bindings refer to an object file with the contract. `ophost build` adds the contract instead. */
void __component_type_object_force_link_plugin(void);
void __component_type_object_force_link_plugin(void) {
}

static const ophost_operation *current;

const ophost_operation *ophost_current_operation(void) {
    return current;
}

/* The field is not set: the host reports an empty text together with the operation. */
static plugin_string_t text(const char *text) {
    return ophost_copy(text == NULL ? "" : text);
}

static plugin_list_string_t list(const char *const *texts) {
    size_t length = 0;
    while (texts != NULL && texts[length] != NULL) {
        length++;
    }
    plugin_string_t *items = ophost_allocate(length * sizeof *items);
    for (size_t i = 0; i < length; i++) {
        items[i] = text(texts[i]);
    }
    return (plugin_list_string_t){.ptr = items, .len = length};
}

static ophost_plugin_types_list_annotation_t annotations(const ophost_annotation *pairs) {
    size_t length = 0;
    while (pairs != NULL && pairs[length].key != NULL) {
        length++;
    }
    ophost_plugin_types_annotation_t *items = ophost_allocate(length * sizeof *items);
    for (size_t i = 0; i < length; i++) {
        items[i].key = text(pairs[i].key);
        items[i].value = text(pairs[i].value);
    }
    return (ophost_plugin_types_list_annotation_t){.ptr = items, .len = length};
}

static ophost_plugin_types_operation_t described(const ophost_operation *operation) {
    return (ophost_plugin_types_operation_t){
        .name = text(operation->name),
        .description = text(operation->description),
        .category = text(operation->category),
        .input_schema = text(operation->input_schema),
        .output_schema = text(operation->output_schema),
        .tags = list(operation->tags),
        .permissions = list(operation->permissions),
        .models_in = list(operation->models_in),
        .models_out = list(operation->models_out),
        .stage = {.is_some = operation->stage != NULL, .val = text(operation->stage)},
        .async_enabled = operation->async_enabled,
        .create_taskrun = !operation->no_taskrun,
        .annotations = annotations(operation->annotations),
    };
}

void exports_ophost_plugin_operations_describe(exports_ophost_plugin_operations_plugin_t *plugin) {
    size_t count;
    const ophost_operation *const *operations = ophost_operations(&count);
    ophost_plugin_types_operation_t *items = ophost_allocate(count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        items[i] = described(operations[i]);
    }
    *plugin = (exports_ophost_plugin_operations_plugin_t){
        .name = text(OPHOST_PLUGIN_NAME),
        .version = text(OPHOST_PLUGIN_VERSION),
        .annotations = annotations(NULL),
        .operations = {.ptr = items, .len = count},
    };
}

static const ophost_operation *find(const char *name) {
    size_t count;
    const ophost_operation *const *operations = ophost_operations(&count);
    for (size_t i = 0; i < count; i++) {
        if (operations[i]->name != NULL && strcmp(operations[i]->name, name) == 0) {
            return operations[i];
        }
    }
    return NULL;
}

/* The host only calls operations of the description, so a missing one is a fault of the plugin. */
static ophost_failure *run(const char *name, const char *input, const char **output) {
    current = find(name);
    if (current == NULL) {
        return ophost_permanent(OPHOST_CONCAT("no operation `", name, "`"));
    }
    if (current->run == NULL) {
        return ophost_permanent(OPHOST_CONCAT("operation `", name, "` has no function `run`"));
    }
    return current->run(input, output);
}

static void set(bool *is_some, plugin_string_t *value, const char *content) {
    *is_some = content != NULL;
    *value = text(content);
}

static exports_ophost_plugin_operations_failure_t declared(const ophost_failure *failure) {
    exports_ophost_plugin_operations_failure_t result = {.tag = (uint8_t)failure->kind};
    ophost_plugin_types_failure_info_t info = {.message = text(failure->message)};
    set(&info.code.is_some, &info.code.val, failure->code);
    set(&info.details.is_some, &info.details.val, failure->details);
    set(&info.traceback.is_some, &info.traceback.val, ophost_traceback(failure));
    /* The three cases have the same type. */
    result.val.error = info;
    return result;
}

bool exports_ophost_plugin_operations_invoke(plugin_string_t *operation,
                                             exports_ophost_plugin_operations_json_t *input,
                                             exports_ophost_plugin_operations_json_t *result,
                                             exports_ophost_plugin_operations_failure_t *error) {
    const char *output = "null";
    ophost_failure *failure = run(ophost_terminate(*operation), ophost_terminate(*input), &output);
    if (failure != NULL) {
        *error = declared(failure);
        return false;
    }
    *result = text(output);
    return true;
}
