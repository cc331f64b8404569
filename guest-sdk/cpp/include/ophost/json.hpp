// JSON for operations, with the library nlohmann/json: https://json.nlohmann.me
//
// All integers of 64 bits are exact. A value of another type, a missing field and an invalid text end
// the run with a trap and the message of the library: components have no exceptions. The host checks
// the input of an operation before the call.
#pragma once

#include <optional>

#include "ophost.hpp"

#define JSON_THROW_USER(exception) ::ophost::panic((exception).what())
#include <nlohmann/json.hpp>

// Converts optional fields: null is an empty one. The library has these conversions only without
// implicit ones.
template <typename T>
struct nlohmann::adl_serializer<std::optional<T>> {
    template <typename Json>
    static void to_json(Json &json, const std::optional<T> &value) {
        if (value.has_value()) {
            json = *value;
        } else {
            json = nullptr;
        }
    }

    template <typename Json>
    static void from_json(const Json &json, std::optional<T> &value) {
        if (json.is_null()) {
            value.reset();
        } else {
            value = json.template get<T>();
        }
    }
};

namespace ophost {

// A JSON value. Objects keep the order of their fields.
using json = nlohmann::ordered_json;

// Returns the JSON text of a result.
template <typename Output>
Result<std::string> json_text(Result<Output> output) {
    if (!output) {
        return std::unexpected(std::move(output).error());
    }
    if constexpr (std::is_void_v<Output>) {
        return "null";
    } else {
        return json(*std::move(output)).dump();
    }
}

// Returns the function of an operation that takes and returns values of any type with a conversion
// by nlohmann/json, such as those of NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE.
template <typename Output, typename Input>
Function json_function(Result<Output> (*function)(const Input &)) {
    return [function](std::string_view text) {
        return json_text(function(json::parse(text).get<Input>()));
    };
}

// Returns the function of an operation without an input.
template <typename Output>
Function json_function(Result<Output> (*function)()) {
    return [function](std::string_view) { return json_text(function()); };
}

}  // namespace ophost
