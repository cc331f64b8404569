#include "latin.hpp"

#include <algorithm>
#include <optional>

#include "characters.hpp"

namespace text {

namespace {

// The ASCII form of the lower-case letters of a range.
struct Range {
    char32_t first;
    char32_t last;
    std::u32string_view ascii;
};

// The letters of the blocks Latin-1 and Latin Extended-A, and combining accents: in decomposed text,
// `e` and its accent are two characters. The ranges of Extended-A also contain capitals, which
// alternate with the lower-case letters.
constexpr Range RANGES[] = {
    {0xdf, 0xdf, U"ss"},   {0xe0, 0xe5, U"a"},    {0xe6, 0xe6, U"ae"},   {0xe7, 0xe7, U"c"},
    {0xe8, 0xeb, U"e"},    {0xec, 0xef, U"i"},    {0xf0, 0xf0, U"d"},    {0xf1, 0xf1, U"n"},
    {0xf2, 0xf6, U"o"},    {0xf8, 0xf8, U"o"},    {0xf9, 0xfc, U"u"},    {0xfd, 0xfd, U"y"},
    {0xfe, 0xfe, U"th"},   {0xff, 0xff, U"y"},    {0x100, 0x105, U"a"},  {0x106, 0x10d, U"c"},
    {0x10e, 0x111, U"d"},  {0x112, 0x11b, U"e"},  {0x11c, 0x123, U"g"},  {0x124, 0x127, U"h"},
    {0x128, 0x131, U"i"},  {0x132, 0x133, U"ij"}, {0x134, 0x135, U"j"},  {0x136, 0x138, U"k"},
    {0x139, 0x142, U"l"},  {0x143, 0x14b, U"n"},  {0x14c, 0x151, U"o"},  {0x152, 0x153, U"oe"},
    {0x154, 0x159, U"r"},  {0x15a, 0x161, U"s"},  {0x162, 0x167, U"t"},  {0x168, 0x173, U"u"},
    {0x174, 0x175, U"w"},  {0x176, 0x177, U"y"},  {0x179, 0x17e, U"z"},  {0x17f, 0x17f, U"s"},
    {0x300, 0x36f, U""},
};

std::optional<std::u32string_view> ascii(char32_t letter) {
    auto range = std::ranges::find_if(
        RANGES, [&](const Range &it) { return it.first <= letter && letter <= it.last; });
    return range == std::end(RANGES) ? std::nullopt : std::optional(range->ascii);
}

}  // namespace

std::u32string fold(std::u32string_view text) {
    std::u32string folded;
    for (char32_t letter : lower(text)) {
        if (auto replacement = ascii(letter)) {
            folded += *replacement;
        } else {
            folded += letter;
        }
    }
    return folded;
}

}  // namespace text
