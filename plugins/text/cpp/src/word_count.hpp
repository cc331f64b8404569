// Counts the words, lines and characters of a text.
#pragma once

#include <ophost.hpp>

namespace text {

ophost::Operation word_count();

}  // namespace text
