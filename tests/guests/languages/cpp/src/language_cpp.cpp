// The operations of the language table in C++. `README.md` of the parent directory describes them.

#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <ophost.hpp>
#include <ophost/json.hpp>
#include <string>
#include <vector>

namespace {

using ophost::json;
using ophost::Operation;
using ophost::Result;

constexpr const char *NO_INPUT = R"({"type": "object", "additionalProperties": false})";
constexpr const char *NO_OUTPUT = R"({"type": "null"})";

// Returns an operation without input and output.
Operation simple(const char *name, const char *description, Result<void> (*function)()) {
    return {
        .name = name,
        .description = description,
        .category = "languages",
        .input_schema = NO_INPUT,
        .output_schema = NO_OUTPUT,
        .run = ophost::json_function(function),
    };
}

struct Echo {
    std::string text;
    int times;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Echo, text, times)

Operation echo() {
    constexpr const char *schema = R"({
        "type": "object",
        "description": "A text and a number.",
        "properties": {
            "text": {"type": "string", "description": "The text."},
            "times": {
                "type": "integer",
                "minimum": 1,
                "maximum": 3,
                "default": 2,
                "description": "The number."
            }
        },
        "required": ["text"],
        "additionalProperties": false
    })";
    return {
        .name = "echo",
        .description = "Returns its input.",
        .category = "languages",
        .input_schema = schema,
        .output_schema = schema,
        .tags = {"first", "second"},
        .run = ophost::json_function(+[](const Echo &input) { return Result<Echo>(input); }),
    };
}

struct Integers {
    std::int64_t with_sign;
    std::uint64_t without_sign;
};

void from_json(const json &value, Integers &integers) {
    value.at("signed").get_to(integers.with_sign);
    value.at("unsigned").get_to(integers.without_sign);
}

void to_json(json &value, const Integers &integers) {
    value = {{"signed", integers.with_sign}, {"unsigned", integers.without_sign}};
}

Operation integers() {
    constexpr const char *schema = R"({
        "type": "object",
        "description": "Integers of 64 bits.",
        "properties": {
            "signed": {
                "type": "integer",
                "minimum": -9223372036854775808,
                "maximum": 9223372036854775807
            },
            "unsigned": {"type": "integer", "minimum": 0, "maximum": 18446744073709551615}
        },
        "required": ["signed", "unsigned"],
        "additionalProperties": false
    })";
    return {
        .name = "integers",
        .description = "Returns its integers.",
        .category = "languages",
        .input_schema = schema,
        .output_schema = schema,
        .run = ophost::json_function(
            +[](const Integers &input) { return Result<Integers>(input); }),
    };
}

// Adds 10 to the count of a note. Other fields are kept.
Result<void> add_ten(const ophost::Collection &notes, const ophost::Document &note) {
    auto count = json::parse(note.body).at("count").get<std::int64_t>();
    return notes.set(note.id, {{"count", std::to_string(count + 10)}});
}

Result<json> change(const json &input) {
    ophost::Collection notes("notes");
    if (auto deleted = notes.remove("c"); !deleted) {
        return std::unexpected(deleted.error());
    }
    json filter = {{"count", {{"$gte", input.at("minimum")}}}};
    auto found = notes.find({.filter = filter.dump(), .sort = {"-count"}});
    if (!found) {
        return std::unexpected(found.error());
    }
    json changed = json::array();
    for (const ophost::Document &note : *found) {
        if (auto added = add_ten(notes, note); !added) {
            return std::unexpected(added.error());
        }
        changed.push_back(note.id);
    }
    auto created = notes.insert(R"({"title": "new", "count": 0})");
    if (!created) {
        return std::unexpected(created.error());
    }
    return notes.count().transform([&](std::uint64_t total) {
        return json{{"changed", changed}, {"created", *created}, {"total", total}};
    });
}

Operation change_notes() {
    return {
        .name = "change_notes",
        .description = "Adds 10 to notes, deletes the note `c`, and creates a note.",
        .category = "languages",
        .input_schema = R"({
            "type": "object",
            "properties": {"minimum": {"type": "integer"}},
            "required": ["minimum"],
            "additionalProperties": false
        })",
        .output_schema = R"({
            "type": "object",
            "properties": {
                "changed": {"type": "array", "items": {"type": "string"}},
                "created": {"type": "string"},
                "total": {"type": "integer", "minimum": 0}
            },
            "required": ["changed", "created", "total"],
            "additionalProperties": false
        })",
        .models_out = {"Note"},
        .async_enabled = true,
        .run = ophost::json_function(change),
    };
}

Result<void> log_levels() {
    ophost::log::trace("a trace");
    ophost::log::debug("a debug");
    ophost::log::info("an info");
    ophost::log::warn("a warn");
    ophost::log::error("an error");
    return {};
}

Result<void> report() {
    ophost::report_progress(1, 4, "a quarter");
    usleep(500 * 1000);
    return {};
}

Result<void> add_item_errors() {
    ophost::add_item_error(0, R"("first")", "the first is broken");
    ophost::add_item_error(2, R"("third")", "the third is broken");
    return {};
}

Result<void> fail() {
    return ophost::permanent("nothing is left", {.code = "no-stock", .details = R"({"left": 0})"});
}

Result<int> read_number(const std::string &text) {
    int number;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) {
        return ophost::error("no digits");
    }
    return number;
}

Result<void> raise_error() {
    if (auto number = read_number("nothing"); !number) {
        return ophost::error("cannot read the number", {.cause = number.error()});
    }
    return {};
}

// A value of another type is a mistake that the library for JSON would report by an exception.
Result<void> abort_run() {
    return json("the end").get<int>() == 0 ? Result<void>() : fail();
}

Result<void> spin() {
    for (volatile std::uint64_t turns = 0;;) {
        turns = turns + 1;
    }
}

Result<void> allocate() {
    std::vector<std::string> blocks;
    for (;;) {
        blocks.emplace_back(1 << 20, '1');
    }
}

}  // namespace

OPHOST_PLUGIN(
    echo(), integers(), change_notes(),
    simple("log_levels", "Writes a log entry of each level.", log_levels),
    simple("report_progress", "Reports progress and pauses.", report),
    simple("add_item_errors", "Adds errors for two items.", add_item_errors),
    simple("fail", "Returns a permanent failure.", fail),
    simple("raise", "Fails with an error that has a cause.", raise_error),
    simple("abort", "Ends without a result.", abort_run),
    simple("spin", "Loops forever.", spin),
    simple("allocate", "Allocates memory forever.", allocate))
