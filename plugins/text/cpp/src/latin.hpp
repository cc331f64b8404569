// Removes the accents of Latin letters.
#pragma once

#include <string>
#include <string_view>

namespace text {

// Returns a text in lower case, with Latin letters in ASCII.
//
// Letters of other scripts are kept.
std::u32string fold(std::u32string_view text);

}  // namespace text
