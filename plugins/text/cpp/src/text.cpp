// Operations on text.

#include <ophost.hpp>

#include "slugify.hpp"
#include "word_count.hpp"

OPHOST_PLUGIN(text::word_count(), text::slugify())
