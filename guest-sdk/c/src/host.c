/* Log, progress, item errors and context. */

#include "internal.h"

void ophost_log(ophost_log_level level, const char *message, const char *data) {
    plugin_string_t text = ophost_borrow(message);
    plugin_string_t json = ophost_borrow(data == NULL ? "" : data);
    /* Both enumerations have the order of the contract. */
    ophost_plugin_log_write((ophost_plugin_log_level_t)level, &text, data == NULL ? NULL : &json);
}

void ophost_report_progress(uint64_t done, uint64_t total, const char *message) {
    plugin_string_t text = ophost_borrow(message == NULL ? "" : message);
    ophost_plugin_progress_report(done, total == 0 ? NULL : &total, message == NULL ? NULL : &text);
}

void ophost_add_item_error(uint64_t index, const char *item, const char *error) {
    plugin_string_t json = ophost_borrow(item);
    plugin_string_t text = ophost_borrow(error);
    ophost_plugin_item_errors_add(index, &json, &text, NULL);
}

const char *ophost_run_id(void) {
    plugin_string_t text;
    return ophost_plugin_context_run_id(&text) ? ophost_terminate(text) : NULL;
}

const char *ophost_user_id(void) {
    plugin_string_t text;
    return ophost_plugin_context_user_id(&text) ? ophost_terminate(text) : NULL;
}

const char *ophost_idempotency_key(void) {
    plugin_string_t text;
    return ophost_plugin_context_idempotency_key(&text) ? ophost_terminate(text) : NULL;
}

const char *ophost_channel(void) {
    plugin_string_t text;
    ophost_plugin_context_channel(&text);
    return ophost_terminate(text);
}

bool ophost_dry_run(void) {
    return ophost_plugin_context_dry_run();
}

bool ophost_test_mode(void) {
    return ophost_plugin_context_test_mode();
}

bool ophost_verbose(void) {
    return ophost_plugin_context_verbose();
}

uint32_t ophost_attempt(void) {
    return ophost_plugin_context_attempt();
}

uint64_t ophost_deadline(void) {
    return ophost_plugin_context_deadline();
}

uint64_t ophost_now(void) {
    return ophost_plugin_context_now();
}

uint64_t ophost_random(void) {
    return ophost_plugin_context_random();
}
