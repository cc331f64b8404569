// The operations for the SDK for C, which exports them.

#include <cstring>

#include "ophost.hpp"

namespace ophost {

namespace {

// Returns a copy that stays until the end of the run.
const char *copied(const std::string &text) {
    char *copy = static_cast<char *>(ophost_allocate(text.size() + 1));
    std::memcpy(copy, text.data(), text.size());
    return copy;
}

const char *optional(const std::string &text) {
    return text.empty() ? nullptr : copied(text);
}

const char *const *list(const std::vector<std::string> &texts) {
    auto copies = static_cast<const char **>(ophost_allocate((texts.size() + 1) * sizeof(char *)));
    for (std::size_t i = 0; i < texts.size(); i++) {
        copies[i] = copied(texts[i]);
    }
    return copies;
}

ophost_failure *converted(const Failure &failure) {
    ophost_failure result = {};
    // Both enumerations have the order of the contract.
    result.kind = static_cast<ophost_failure_kind>(failure.kind);
    result.message = copied(failure.message);
    result.code = optional(failure.code);
    result.details = optional(failure.details);
    if (failure.cause) {
        result.cause = converted(*failure.cause);
    }
    if (failure.location) {
        result.function = failure.location->function_name();
        result.file = failure.location->file_name();
        result.line = static_cast<int>(failure.location->line());
    }
    return ophost_new_failure(result);
}

// Runs the current operation.
ophost_failure *run(const char *input, const char **output) {
    for (const Operation &operation : operations()) {
        if (operation.name == ophost_current_operation()->name) {
            Result<std::string> result = operation.run(input);
            if (!result) {
                return converted(result.error());
            }
            *output = copied(*result);
            return nullptr;
        }
    }
    return nullptr;
}

const ophost_annotation *annotations(
    const std::vector<std::pair<std::string, std::string>> &pairs) {
    std::size_t size = (pairs.size() + 1) * sizeof(ophost_annotation);
    auto copies = static_cast<ophost_annotation *>(ophost_allocate(size));
    for (std::size_t i = 0; i < pairs.size(); i++) {
        copies[i] = {copied(pairs[i].first), copied(pairs[i].second)};
    }
    return copies;
}

const ophost_operation *described(const Operation &operation) {
    auto result = static_cast<ophost_operation *>(ophost_allocate(sizeof(ophost_operation)));
    result->name = copied(operation.name);
    result->description = copied(operation.description);
    result->category = copied(operation.category);
    result->input_schema = copied(operation.input_schema);
    result->output_schema = copied(operation.output_schema);
    result->tags = list(operation.tags);
    result->permissions = list(operation.permissions);
    result->models_in = list(operation.models_in);
    result->models_out = list(operation.models_out);
    result->stage = optional(operation.stage);
    result->async_enabled = operation.async_enabled;
    result->no_taskrun = !operation.create_taskrun;
    result->annotations = annotations(operation.annotations);
    result->run = operation.run ? run : nullptr;
    return result;
}

}  // namespace

}  // namespace ophost

const ophost_operation *const *ophost_operations(std::size_t *count) {
    const auto &operations = ophost::operations();
    *count = operations.size();
    std::size_t size = operations.size() * sizeof(ophost_operation *);
    auto table = static_cast<const ophost_operation **>(ophost_allocate(size));
    for (std::size_t i = 0; i < operations.size(); i++) {
        table[i] = ophost::described(operations[i]);
    }
    return table;
}
