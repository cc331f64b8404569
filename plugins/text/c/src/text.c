/* Operations on text. */

#include <ophost.h>

#include "text.h"

OPHOST_PLUGIN(&word_count, &slugify)
