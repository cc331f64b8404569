/** Counts the words, lines and characters of a text. */

import { defineOperation } from "ophost-sdk";
import * as z from "zod";

const Text = z
  .object({
    text: z.string().describe("The text."),
    top: z.int().min(0).max(50).default(0).describe("The number of most frequent words to list."),
  })
  .describe("The text to count.");

const Frequency = z
  .object({
    word: z.string().describe("The word."),
    count: z.int().min(0).describe("The number of occurrences."),
  })
  .describe("The frequency of a word.");

const Counts = z
  .object({
    words: z
      .int()
      .min(0)
      .describe("The number of words. A word is a sequence of characters between white space."),
    lines: z
      .int()
      .min(0)
      .describe("The number of lines. A line break after the last line is optional."),
    characters: z
      .int()
      .min(0)
      .describe("The number of Unicode code points. A letter can consist of several."),
    most_frequent: z
      .array(Frequency)
      .describe("The most frequent words, in lower case and without the punctuation around them."),
  })
  .describe("The counts of a text.");

export const wordCount = defineOperation({
  name: "word_count",
  description: "Counts the words, lines and characters of a text.",
  category: "text",
  tags: ["text", "statistics"],
  asyncEnabled: true,
  input: Text,
  output: Counts,
  run: ({ text, top }) => ({
    words: words(text).length,
    lines: lines(text),
    characters: [...text].length,
    most_frequent: mostFrequent(text, top),
  }),
});

/** @param {string} text */
function words(text) {
  return text.split(/\p{White_Space}+/u).filter((word) => word !== "");
}

/** @param {string} text */
function lines(text) {
  const breaks = text.split("\n").length - 1;
  return text === "" || text.endsWith("\n") ? breaks : breaks + 1;
}

/**
 * Returns the `top` most frequent words. Words of equal frequency are in alphabetical order.
 *
 * @param {string} text
 * @param {number} top
 */
function mostFrequent(text, top) {
  const frequencies = [...countsByWord(text)].map(([word, count]) => ({ word, count }));
  frequencies.sort((a, b) => b.count - a.count || compare(a.word, b.word));
  return frequencies.slice(0, top);
}

/** @param {string} text */
function countsByWord(text) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const part of words(text)) {
    const word = part
      .replace(/^[^\p{Alphabetic}\p{N}]+|[^\p{Alphabetic}\p{N}]+$/gu, "")
      .toLowerCase();
    if (word !== "") counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

/**
 * Compares by code points. `<` compares by UTF-16 units.
 *
 * @param {string} a
 * @param {string} b
 */
function compare(a, b) {
  const [left, right] = [Array.from(a, code), Array.from(b, code)];
  const index = left.findIndex((value, place) => value !== right[place]);
  return index < 0 ? left.length - right.length : (left[index] ?? 0) - (right[index] ?? -1);
}

/** @param {string} character */
function code(character) {
  return character.codePointAt(0) ?? 0;
}
