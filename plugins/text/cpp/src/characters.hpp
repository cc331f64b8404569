// Texts as sequences of Unicode characters.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace text {

// Returns the characters of a text in UTF-8.
std::u32string decoded(std::string_view text);

// Returns a text in UTF-8.
std::string encoded(std::u32string_view characters);

// Returns whether a character has the property White_Space of Unicode.
bool is_white_space(char32_t character);

// Returns whether a character is a letter or a digit.
bool is_alphanumeric(char32_t character);

// Returns a text in lower case.
std::u32string lower(std::u32string_view text);

// Returns the longest parts of a text with such characters only.
std::vector<std::u32string_view> split(std::u32string_view text, bool (*is_part)(char32_t));

}  // namespace text
