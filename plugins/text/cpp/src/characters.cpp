#include "characters.hpp"

#include <algorithm>
#include <cwctype>

namespace text {

std::u32string decoded(std::string_view text) {
    std::u32string characters;
    for (std::size_t i = 0; i < text.size();) {
        auto first = static_cast<unsigned char>(text[i]);
        int length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        // The first byte of a sequence has one bit for each byte, then a zero.
        char32_t character = length == 1 ? first : first & (0x7f >> length);
        for (int j = 1; j < length; j++) {
            character = character << 6 | (static_cast<unsigned char>(text[i + j]) & 0x3f);
        }
        characters.push_back(character);
        i += length;
    }
    return characters;
}

std::string encoded(std::u32string_view characters) {
    std::string text;
    for (char32_t c : characters) {
        auto following = [&](int shift) { text.push_back(static_cast<char>(0x80 | (c >> shift & 0x3f))); };
        if (c < 0x80) {
            text.push_back(static_cast<char>(c));
        } else if (c < 0x800) {
            text.push_back(static_cast<char>(0xc0 | c >> 6));
            following(0);
        } else if (c < 0x10000) {
            text.push_back(static_cast<char>(0xe0 | c >> 12));
            following(6);
            following(0);
        } else {
            text.push_back(static_cast<char>(0xf0 | c >> 18));
            following(12);
            following(6);
            following(0);
        }
    }
    return text;
}

// Unlike this property, `iswspace` leaves out the spaces at which no line breaks.
bool is_white_space(char32_t c) {
    return (c >= 0x9 && c <= 0xd) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

// The tables of the C library do not depend on a locale.
bool is_alphanumeric(char32_t character) {
    return std::iswalnum(static_cast<wint_t>(character));
}

std::u32string lower(std::u32string_view text) {
    std::u32string result(text);
    std::ranges::transform(result, result.begin(), [](char32_t c) {
        return static_cast<char32_t>(std::towlower(static_cast<wint_t>(c)));
    });
    return result;
}

std::vector<std::u32string_view> split(std::u32string_view text, bool (*is_part)(char32_t)) {
    std::vector<std::u32string_view> parts;
    for (auto start = text.begin();;) {
        start = std::find_if(start, text.end(), is_part);
        if (start == text.end()) {
            return parts;
        }
        auto end = std::find_if_not(start, text.end(), is_part);
        parts.emplace_back(start, end);
        start = end;
    }
}

}  // namespace text
