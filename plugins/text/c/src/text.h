/*
 * Operations on text.
 *
 * - `word_count.c`: counts the words, lines and characters of a text.
 * - `slugify.c`: converts a text to a part of a URL; `latin.c` removes the accents.
 * - `characters.c`: the characters of a text in UTF-8.
 */
#ifndef TEXT_H
#define TEXT_H

#include <ophost.h>

extern const ophost_operation word_count;
extern const ophost_operation slugify;

#endif
