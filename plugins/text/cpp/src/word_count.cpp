#include "word_count.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <ophost/json.hpp>
#include <tuple>

#include "characters.hpp"

namespace text {

namespace {

struct Input {
    std::string text;
    std::size_t top;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Input, text, top)

struct Frequency {
    std::string word;
    std::size_t count;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Frequency, word, count)

struct Counts {
    std::size_t words;
    std::size_t lines;
    std::size_t characters;
    std::vector<Frequency> most_frequent;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Counts, words, lines, characters, most_frequent)

std::vector<std::u32string_view> words(std::u32string_view text) {
    return split(text, [](char32_t character) { return !is_white_space(character); });
}

// A line break after the last line is optional.
std::size_t count_lines(const std::string &text) {
    bool has_rest = !text.empty() && text.back() != '\n';
    return static_cast<std::size_t>(std::ranges::count(text, '\n')) + has_rest;
}

// Returns a word in lower case from its first to its last letter or digit.
std::string normalized(std::u32string_view word) {
    auto first = std::ranges::find_if(word, is_alphanumeric);
    auto last = std::find_if(word.rbegin(), word.rend(), is_alphanumeric).base();
    return first == word.end() ? "" : encoded(lower(std::u32string_view(first, last)));
}

// Returns the `top` most frequent words. Words of equal frequency are in alphabetical order.
std::vector<Frequency> most_frequent(std::u32string_view text, std::size_t top) {
    std::map<std::string, std::size_t> counts;
    for (std::u32string_view word : words(text)) {
        counts[normalized(word)]++;
    }
    counts.erase("");
    std::vector<Frequency> sorted;
    for (const auto &[word, count] : counts) {
        sorted.push_back({word, count});
    }
    std::ranges::stable_sort(sorted, std::greater(), &Frequency::count);
    sorted.resize(std::min(top, sorted.size()));
    return sorted;
}

ophost::Result<Counts> run(const Input &input) {
    auto characters = decoded(input.text);
    return Counts{
        .words = words(characters).size(),
        .lines = count_lines(input.text),
        .characters = characters.size(),
        .most_frequent = most_frequent(characters, input.top),
    };
}

}  // namespace

ophost::Operation word_count() {
    return {
        .name = "word_count",
        .description = "Counts the words, lines and characters of a text.",
        .category = "text",
        .input_schema = R"({
            "type": "object",
            "description": "The text to count.",
            "properties": {
                "text": {"type": "string", "description": "The text."},
                "top": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 50,
                    "default": 0,
                    "description": "The number of most frequent words to list."
                }
            },
            "required": ["text"],
            "additionalProperties": false
        })",
        .output_schema = R"({
            "type": "object",
            "description": "The counts of a text.",
            "properties": {
                "words": {
                    "type": "integer",
                    "description": "The number of words. A word is a sequence of characters between white space."
                },
                "lines": {
                    "type": "integer",
                    "description": "The number of lines. A line break after the last line is optional."
                },
                "characters": {
                    "type": "integer",
                    "description": "The number of Unicode code points. A letter can consist of several."
                },
                "most_frequent": {
                    "type": "array",
                    "description": "The most frequent words, in lower case and without the punctuation around them.",
                    "items": {
                        "type": "object",
                        "description": "The frequency of a word.",
                        "properties": {
                            "word": {"type": "string", "description": "The word."},
                            "count": {"type": "integer", "description": "The number of occurrences."}
                        },
                        "required": ["word", "count"],
                        "additionalProperties": false
                    }
                }
            },
            "required": ["words", "lines", "characters", "most_frequent"],
            "additionalProperties": false
        })",
        .tags = {"text", "statistics"},
        .async_enabled = true,
        .run = ophost::json_function(run),
    };
}

}  // namespace text
