/** Converts a text to a slug, a part of a URL. */

import { defineOperation } from "ophost-sdk";
import * as z from "zod";

import { fold } from "./latin.js";

const Title = z
  .object({
    text: z.string().describe("The text, such as a title."),
    separator: z.string().max(8).default("-").describe("The separator of two words."),
    max_length: z
      .int()
      .min(1)
      .nullish()
      .describe(
        "The maximum number of characters of the slug. Words that do not fit are dropped, and the " +
          "first word is truncated.",
      ),
  })
  .describe("The text to convert, and the format of the slug.");

const Slug = z
  .object({
    slug: z
      .string()
      .describe("Letters and digits in lower case, with a separator between two words."),
  })
  .describe("A text for a part of a URL.");

export const slugify = defineOperation({
  name: "slugify",
  description:
    "Converts a text to a part of a URL: `Salt & Pepper` becomes `salt-pepper`.\n\n" +
    "Latin letters lose their accents. Letters of other scripts are kept.",
  category: "text",
  tags: ["text", "web"],
  asyncEnabled: true,
  input: Title,
  output: Slug,
  run: ({ text, separator, max_length }) => ({
    slug: join(words(fold(text)), separator, max_length ?? Number.POSITIVE_INFINITY),
  }),
});

/** @param {string} text */
function words(text) {
  return text.split(/[^\p{Alphabetic}\p{N}]+/u).filter((word) => word !== "");
}

/**
 * Joins words up to `maxLength` characters.
 *
 * @param {string[]} words
 * @param {string} separator
 * @param {number} maxLength
 */
function join([first = "", ...rest], separator, maxLength) {
  let joined = [...first].slice(0, maxLength).join("");
  let length = [...joined].length;
  for (const word of rest) {
    length += [...separator].length + [...word].length;
    if (length > maxLength) break;
    joined += separator + word;
  }
  return joined;
}
