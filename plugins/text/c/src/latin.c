#include "latin.h"

#include <ophost.h>
#include <string.h>

/* The ASCII form of the lower-case letters of a range. */
typedef struct {
    uint32_t first;
    uint32_t last;
    const char *ascii;
} range;

/*
 * The letters of the blocks Latin-1 and Latin Extended-A, and combining accents: in decomposed text,
 * `e` and its accent are two characters. The ranges of Extended-A also contain capitals, which
 * alternate with the lower-case letters.
 */
static const range RANGES[] = {
    {0xdf, 0xdf, "ss"},   {0xe0, 0xe5, "a"},    {0xe6, 0xe6, "ae"},   {0xe7, 0xe7, "c"},
    {0xe8, 0xeb, "e"},    {0xec, 0xef, "i"},    {0xf0, 0xf0, "d"},    {0xf1, 0xf1, "n"},
    {0xf2, 0xf6, "o"},    {0xf8, 0xf8, "o"},    {0xf9, 0xfc, "u"},    {0xfd, 0xfd, "y"},
    {0xfe, 0xfe, "th"},   {0xff, 0xff, "y"},    {0x100, 0x105, "a"},  {0x106, 0x10d, "c"},
    {0x10e, 0x111, "d"},  {0x112, 0x11b, "e"},  {0x11c, 0x123, "g"},  {0x124, 0x127, "h"},
    {0x128, 0x131, "i"},  {0x132, 0x133, "ij"}, {0x134, 0x135, "j"},  {0x136, 0x138, "k"},
    {0x139, 0x142, "l"},  {0x143, 0x14b, "n"},  {0x14c, 0x151, "o"},  {0x152, 0x153, "oe"},
    {0x154, 0x159, "r"},  {0x15a, 0x161, "s"},  {0x162, 0x167, "t"},  {0x168, 0x173, "u"},
    {0x174, 0x175, "w"},  {0x176, 0x177, "y"},  {0x179, 0x17e, "z"},  {0x17f, 0x17f, "s"},
    {0x300, 0x36f, ""},
};

static const char *ascii(uint32_t letter) {
    for (size_t i = 0; i < sizeof RANGES / sizeof *RANGES; i++) {
        if (RANGES[i].first <= letter && letter <= RANGES[i].last) {
            return RANGES[i].ascii;
        }
    }
    return NULL;
}

slice fold(slice text) {
    /* A lower-case letter has at most one byte more than its capital, which has at least two. */
    char *folded = ophost_allocate((size_t)(text.end - text.start) * 3 / 2 + 1);
    char *end = folded;
    while (text.start < text.end) {
        uint32_t letter = to_lower(next_character(&text));
        const char *replacement = ascii(letter);
        if (replacement == NULL) {
            end = put_character(end, letter);
        } else {
            end = stpcpy(end, replacement);
        }
    }
    return (slice){folded, end};
}
