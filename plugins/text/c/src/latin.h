/* Removes the accents of Latin letters. */
#ifndef LATIN_H
#define LATIN_H

#include "characters.h"

/*
 * Returns a text in lower case, with Latin letters in ASCII.
 *
 * Letters of other scripts are kept.
 */
slice fold(slice text);

#endif
