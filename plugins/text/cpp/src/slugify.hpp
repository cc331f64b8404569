// Converts a text to a slug, a part of a URL.
#pragma once

#include <ophost.hpp>

namespace text {

ophost::Operation slugify();

}  // namespace text
