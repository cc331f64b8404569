// The SDK for C++: plugins for ophost.
//
// An operation is a function with metadata. Its input, its output and all documents are JSON texts.
// `ophost/json.hpp` converts them to values of nlohmann/json.
//
// The components have no exceptions: a function returns a `Result`. `ophost::panic`, `abort`, a
// failed `assert` and `value()` of an empty `Result` end the run with a trap, whose message the host
// shows.
//
// Memory: each run has a new instance of the plugin, and the host discards its memory after the run.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ophost.h"

namespace ophost {

// ---- Failures ----

// The kind of a failure.
enum class Kind {
    // Whether a retry can succeed is unknown.
    error,
    // A retry with the same input will fail too.
    permanent,
    // The cause is temporary: a later retry can succeed.
    retryable,
};

// The failure of an operation, or of a call of the host.
struct Failure {
    Kind kind = Kind::error;
    // Message in one line.
    std::string message = {};
    // Code for programs. Empty if there is none.
    std::string code = {};
    // JSON text with further information. Empty if there is none.
    std::string details = {};
    // The failure that caused this one.
    std::shared_ptr<const Failure> cause = {};
    // Where the failure was created. None for the failures of the host.
    std::optional<std::source_location> location = {};
};

// A value or a failure.
template <typename T>
using Result = std::expected<T, Failure>;

// The optional parts of a failure.
struct Extra {
    std::string code = {};
    std::string details = {};
    std::optional<Failure> cause = {};
};

// Returns a failure, for `return`:
//
//     return ophost::permanent("nothing is left", {.code = "no-stock", .details = R"({"left": 0})"});
std::unexpected<Failure> error(std::string message, Extra extra = {},
                               std::source_location location = std::source_location::current());
std::unexpected<Failure> permanent(std::string message, Extra extra = {},
                                   std::source_location location = std::source_location::current());
std::unexpected<Failure> retryable(std::string message, Extra extra = {},
                                   std::source_location location = std::source_location::current());

// Ends the run with a trap. The host shows the message and the place, and the functions that were
// called.
[[noreturn]] void panic(std::string_view message,
                        std::source_location location = std::source_location::current());

// ---- Operations ----

// Runs an operation on a JSON text that conforms to its input schema. Returns a JSON text.
using Function = std::function<Result<std::string>(std::string_view)>;

// An operation. The fields without a default are required.
struct Operation {
    // Parts of `[a-z][a-z0-9_]*`, joined by dots.
    std::string name;
    std::string description;
    std::string category;
    // JSON Schemas.
    std::string input_schema;
    std::string output_schema;
    std::vector<std::string> tags = {};
    std::vector<std::string> permissions = {};
    // Models that the operation reads.
    std::vector<std::string> models_in = {};
    // Models that the operation reads and writes.
    std::vector<std::string> models_out = {};
    // Stage of a pipeline. Empty if there is none.
    std::string stage = {};
    // Whether direct calls are recorded by default.
    bool async_enabled = false;
    // Whether runs can have a record.
    bool create_taskrun = true;
    // Further settings: keys and JSON texts.
    std::vector<std::pair<std::string, std::string>> annotations = {};
    Function run;
};

// The operations of the plugin, see OPHOST_PLUGIN.
const std::vector<Operation> &operations();

// Defines the operations of the plugin, once and at the end of a file:
//
//     OPHOST_PLUGIN(word_count(), slugify())
#define OPHOST_PLUGIN(...)                                                 \
    const std::vector<::ophost::Operation> &ophost::operations() {         \
        static const std::vector<::ophost::Operation> all = {__VA_ARGS__}; \
        return all;                                                        \
    }

// ---- Log, progress and item errors ----

namespace log {
// Add an entry to the log of the run. `data` is a JSON text.
void trace(std::string_view message, std::string_view data = {});
void debug(std::string_view message, std::string_view data = {});
void info(std::string_view message, std::string_view data = {});
void warn(std::string_view message, std::string_view data = {});
void error(std::string_view message, std::string_view data = {});
}  // namespace log

// Reports that `done` of `total` steps are completed. A `total` of 0 is unknown.
void report_progress(std::uint64_t done, std::uint64_t total = 0, std::string_view message = {});

// Adds the error of one item of a bulk input. The run continues. `index` counts from 0, `item` is a
// JSON text.
void add_item_error(std::uint64_t index, std::string_view item, std::string_view error);

// ---- Context of the run ----

namespace context {
// The id of the run record; none if the run is not recorded.
std::optional<std::string> run_id();
// The user of the run, if the caller names one.
std::optional<std::string> user_id();
// The idempotency key of the request.
std::optional<std::string> idempotency_key();
// The channel of the call, such as `cli`.
std::string channel();
// Whether the host commits no document changes of this run.
bool dry_run();
// Whether the caller set the test flag.
bool test_mode();
// Whether the caller wants verbose output.
bool verbose();
// The number of the attempt, from 1.
std::uint32_t attempt();
// The time at which the host stops the run, in milliseconds since 1970.
std::uint64_t deadline();
// The current time, in milliseconds since 1970.
std::uint64_t now();
// 64 random bits, suitable for secrets.
std::uint64_t random();
}  // namespace context

// ---- Documents ----

// A document.
struct Document {
    std::string id;
    // Increases with every commit. 0 if this run has written the document.
    std::uint64_t revision = 0;
    // JSON object.
    std::string body;
};

// The condition of a write: `always`, no document has the id, a document has it, or it has the
// revision.
struct Condition {
    enum class Kind { always, absent, present, at_revision } kind = Kind::always;
    std::uint64_t revision = 0;
};

// A query.
struct Query {
    // Filter, a JSON object. Empty matches all documents.
    std::string filter = {};
    // Paths of fields, `-path` for descending order.
    std::vector<std::string> sort = {};
    // Maximum number of documents. 0 is unlimited.
    std::size_t limit = 0;
};

// A collection of documents. A failed call changed nothing. The code of its failure is `denied`,
// `not-found`, `exists`, `stale`, `invalid`, `too-large`, or another one of the host.
class Collection {
   public:
    explicit Collection(std::string name) : name_(std::move(name)) {}

    // Reads a document. None if it does not exist.
    [[nodiscard]] Result<std::optional<Document>> get(const std::string &id) const;
    // Creates a document with a new id, and returns the id.
    [[nodiscard]] Result<std::string> insert(const std::string &body) const;
    // Creates or replaces a document, if the condition holds.
    [[nodiscard]] Result<void> put(const std::string &id, const std::string &body,
                                   Condition condition = {}) const;
    // Sets fields of a document: paths and JSON texts.
    [[nodiscard]] Result<void> set(
        const std::string &id,
        const std::vector<std::pair<std::string, std::string>> &fields) const;
    // Merges a JSON object into a document. `null` deletes a field, and a list replaces a list.
    [[nodiscard]] Result<void> merge(const std::string &id, const std::string &patch) const;
    // Deletes a document, and returns whether it existed.
    [[nodiscard]] Result<bool> remove(const std::string &id) const;
    // Reads the documents that match a query.
    [[nodiscard]] Result<std::vector<Document>> find(const Query &query = {}) const;
    // Counts the documents that match a filter.
    [[nodiscard]] Result<std::uint64_t> count(const std::string &filter = "{}") const;

   private:
    std::string name_;
};

// Discards all writes of this run.
void discard();

}  // namespace ophost
