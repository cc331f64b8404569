#include "characters.h"

#include <wctype.h>

uint32_t next_character(slice *text) {
    const unsigned char *bytes = (const unsigned char *)text->start;
    int length = bytes[0] < 0x80 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    /* The first byte of a sequence has one bit for each byte, then a zero. */
    uint32_t character = length == 1 ? bytes[0] : bytes[0] & (0x7fu >> length);
    for (int i = 1; i < length; i++) {
        character = character << 6 | (bytes[i] & 0x3f);
    }
    text->start += length;
    return character;
}

size_t count_characters(slice text) {
    size_t count = 0;
    for (; text.start < text.end; next_character(&text)) {
        count++;
    }
    return count;
}

/* Unlike this property, `iswspace` leaves out the spaces at which no line breaks. */
bool is_white_space(uint32_t c) {
    return (c >= 0x9 && c <= 0xd) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

/* The tables of the C library do not depend on a locale. */
bool is_alphanumeric(uint32_t character) {
    return iswalnum(character);
}

uint32_t to_lower(uint32_t character) {
    return towlower(character);
}

slice next_word(slice *text, bool (*is_part)(uint32_t character)) {
    slice word = {text->end, text->end};
    while (text->start < text->end) {
        const char *before = text->start;
        bool is_next = is_part(next_character(text));
        if (is_next && word.start == text->end) {
            word.start = before;
        } else if (!is_next && word.start != text->end) {
            word.end = before;
            break;
        }
    }
    return word;
}

char *put_character(char *end, uint32_t c) {
    if (c < 0x80) {
        *end++ = (char)c;
    } else if (c < 0x800) {
        *end++ = (char)(0xc0 | c >> 6);
        *end++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *end++ = (char)(0xe0 | c >> 12);
        *end++ = (char)(0x80 | (c >> 6 & 0x3f));
        *end++ = (char)(0x80 | (c & 0x3f));
    } else {
        *end++ = (char)(0xf0 | c >> 18);
        *end++ = (char)(0x80 | (c >> 12 & 0x3f));
        *end++ = (char)(0x80 | (c >> 6 & 0x3f));
        *end++ = (char)(0x80 | (c & 0x3f));
    }
    return end;
}
