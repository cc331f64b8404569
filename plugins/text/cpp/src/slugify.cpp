#include "slugify.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <ophost/json.hpp>
#include <string>
#include <vector>

#include "characters.hpp"
#include "latin.hpp"

namespace text {

namespace {

// Joins words up to `max_length` characters.
std::u32string join(const std::vector<std::u32string_view> &words, std::u32string_view separator,
                    std::uint64_t max_length) {
    std::u32string joined;
    for (std::size_t i = 0; i < words.size(); i++) {
        if (i == 0) {
            joined = words[i].substr(0, std::min<std::uint64_t>(max_length, words[i].size()));
        } else if (joined.size() + separator.size() + words[i].size() > max_length) {
            break;
        } else {
            joined.append(separator).append(words[i]);
        }
    }
    return joined;
}

struct Title {
    std::string text;
    std::string separator;
    std::optional<std::uint64_t> max_length;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Title, text, separator, max_length)

ophost::Result<ophost::json> run(const Title &title) {
    auto max_length = title.max_length.value_or(std::numeric_limits<std::uint64_t>::max());
    auto folded = fold(decoded(title.text));
    auto words = split(folded, is_alphanumeric);
    return ophost::json{{"slug", encoded(join(words, decoded(title.separator), max_length))}};
}

}  // namespace

ophost::Operation slugify() {
    return {
        .name = "slugify",
        .description =
            "Converts a text to a part of a URL: `Salt & Pepper` becomes `salt-pepper`.\n\n"
            "Latin letters lose their accents. Letters of other scripts are kept.",
        .category = "text",
        .input_schema = R"({
            "type": "object",
            "description": "The text to convert, and the format of the slug.",
            "properties": {
                "text": {"type": "string", "description": "The text, such as a title."},
                "separator": {
                    "type": "string",
                    "maxLength": 8,
                    "default": "-",
                    "description": "The separator of two words."
                },
                "max_length": {
                    "type": ["integer", "null"],
                    "minimum": 1,
                    "default": null,
                    "description": "The maximum number of characters of the slug. Words that do not fit are dropped, and the first word is truncated."
                }
            },
            "required": ["text"],
            "additionalProperties": false
        })",
        .output_schema = R"({
            "type": "object",
            "description": "A text for a part of a URL.",
            "properties": {
                "slug": {
                    "type": "string",
                    "description": "Letters and digits in lower case, with a separator between two words."
                }
            },
            "required": ["slug"],
            "additionalProperties": false
        })",
        .tags = {"text", "web"},
        .async_enabled = true,
        .run = ophost::json_function(run),
    };
}

}  // namespace text
