// Log, progress, item errors, context and documents.

#include "ophost.hpp"

namespace ophost {

namespace {

void add_entry(ophost_log_level level, std::string_view message, std::string_view data) {
    std::string text(message), json(data);
    ophost_log(level, text.c_str(), json.empty() ? nullptr : json.c_str());
}

std::optional<std::string> optional(const char *text) {
    return text == nullptr ? std::nullopt : std::optional<std::string>(text);
}

std::string text(const char *text) {
    return text == nullptr ? std::string() : std::string(text);
}

// Returns the failure of a call of the host.
std::unexpected<Failure> failed(const ophost_failure *failure) {
    return std::unexpected(Failure{
        .message = text(failure->message),
        .code = text(failure->code),
        .details = text(failure->details),
    });
}

Document converted(const ophost_document &document) {
    return {.id = document.id, .revision = document.revision, .body = document.body};
}

}  // namespace

namespace log {

void trace(std::string_view message, std::string_view data) {
    add_entry(OPHOST_LOG_TRACE, message, data);
}

void debug(std::string_view message, std::string_view data) {
    add_entry(OPHOST_LOG_DEBUG, message, data);
}

void info(std::string_view message, std::string_view data) {
    add_entry(OPHOST_LOG_INFO, message, data);
}

void warn(std::string_view message, std::string_view data) {
    add_entry(OPHOST_LOG_WARN, message, data);
}

void error(std::string_view message, std::string_view data) {
    add_entry(OPHOST_LOG_ERROR, message, data);
}

}  // namespace log

void report_progress(std::uint64_t done, std::uint64_t total, std::string_view message) {
    std::string text(message);
    ophost_report_progress(done, total, text.empty() ? nullptr : text.c_str());
}

void add_item_error(std::uint64_t index, std::string_view item, std::string_view error) {
    ophost_add_item_error(index, std::string(item).c_str(), std::string(error).c_str());
}

namespace context {

std::optional<std::string> run_id() {
    return optional(ophost_run_id());
}

std::optional<std::string> user_id() {
    return optional(ophost_user_id());
}

std::optional<std::string> idempotency_key() {
    return optional(ophost_idempotency_key());
}

std::string channel() {
    return ophost_channel();
}

bool dry_run() {
    return ophost_dry_run();
}

bool test_mode() {
    return ophost_test_mode();
}

bool verbose() {
    return ophost_verbose();
}

std::uint32_t attempt() {
    return ophost_attempt();
}

std::uint64_t deadline() {
    return ophost_deadline();
}

std::uint64_t now() {
    return ophost_now();
}

std::uint64_t random() {
    return ophost_random();
}

}  // namespace context

Result<std::optional<Document>> Collection::get(const std::string &id) const {
    ophost_document document;
    if (auto failure = ophost_get(name_.c_str(), id.c_str(), &document)) {
        return failed(failure);
    }
    if (document.id == nullptr) {
        return std::nullopt;
    }
    return converted(document);
}

Result<std::string> Collection::insert(const std::string &body) const {
    const char *id;
    if (auto failure = ophost_insert(name_.c_str(), body.c_str(), &id)) {
        return failed(failure);
    }
    return id;
}

Result<void> Collection::put(const std::string &id, const std::string &body,
                             Condition condition) const {
    ophost_condition converted = {};
    // Both enumerations have the order of the contract.
    converted.kind = static_cast<decltype(converted.kind)>(condition.kind);
    converted.revision = condition.revision;
    if (auto failure = ophost_put(name_.c_str(), id.c_str(), body.c_str(), converted)) {
        return failed(failure);
    }
    return {};
}

Result<void> Collection::set(const std::string &id,
                             const std::vector<std::pair<std::string, std::string>> &fields) const {
    std::vector<ophost_field> converted;
    for (const auto &[path, value] : fields) {
        converted.push_back({path.c_str(), value.c_str()});
    }
    if (auto failure =
            ophost_set(name_.c_str(), id.c_str(), converted.data(), converted.size())) {
        return failed(failure);
    }
    return {};
}

Result<void> Collection::merge(const std::string &id, const std::string &patch) const {
    if (auto failure = ophost_merge(name_.c_str(), id.c_str(), patch.c_str())) {
        return failed(failure);
    }
    return {};
}

Result<bool> Collection::remove(const std::string &id) const {
    bool existed;
    if (auto failure = ophost_delete(name_.c_str(), id.c_str(), &existed)) {
        return failed(failure);
    }
    return existed;
}

Result<std::vector<Document>> Collection::find(const Query &query) const {
    std::vector<const char *> sort;
    for (const std::string &path : query.sort) {
        sort.push_back(path.c_str());
    }
    sort.push_back(nullptr);
    ophost_query converted_query = {};
    converted_query.filter = query.filter.empty() ? nullptr : query.filter.c_str();
    converted_query.sort = sort.data();
    converted_query.limit = query.limit;
    ophost_documents found;
    if (auto failure = ophost_find(name_.c_str(), converted_query, &found)) {
        return failed(failure);
    }
    std::vector<Document> documents;
    for (std::size_t i = 0; i < found.length; i++) {
        documents.push_back(converted(found.items[i]));
    }
    return documents;
}

Result<std::uint64_t> Collection::count(const std::string &filter) const {
    std::uint64_t number;
    if (auto failure = ophost_count(name_.c_str(), filter.c_str(), &number)) {
        return failed(failure);
    }
    return number;
}

void discard() {
    ophost_discard();
}

}  // namespace ophost
