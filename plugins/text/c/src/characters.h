/* The characters of texts in UTF-8. */
#ifndef CHARACTERS_H
#define CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A part of a text. */
typedef struct {
    const char *start;
    const char *end;
} slice;

/* Returns the next character of a valid text that is not at its end, and moves the start. */
uint32_t next_character(slice *text);

/* Returns the number of characters. */
size_t count_characters(slice text);

/* Returns whether a character has the property White_Space of Unicode. */
bool is_white_space(uint32_t character);

/* Returns whether a character is a letter or a digit. */
bool is_alphanumeric(uint32_t character);

/* Returns the lower case of a character. */
uint32_t to_lower(uint32_t character);

/* Removes the next sequence of such characters from a text. An empty one is the end. */
slice next_word(slice *text, bool (*is_part)(uint32_t character));

/* Writes a character, with at most 4 bytes. Returns the end. */
char *put_character(char *end, uint32_t character);

#endif
