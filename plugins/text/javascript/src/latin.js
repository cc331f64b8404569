/** Removes the accents of Latin letters. */

/**
 * Letters without a base letter and an accent in Unicode.
 *
 * @type {Readonly<Record<string, string>>}
 */
const LETTERS = {
  æ: "ae",
  đ: "d",
  ð: "d",
  ħ: "h",
  ı: "i",
  ĳ: "ij",
  ĸ: "k",
  ł: "l",
  ŀ: "l",
  ŉ: "n",
  ŋ: "n",
  ø: "o",
  œ: "oe",
  ß: "ss",
  ſ: "s",
  þ: "th",
  ŧ: "t",
};

/**
 * Returns `text` in lower case, with Latin letters in ASCII.
 *
 * Letters of other scripts are kept.
 *
 * @param {string} text
 */
export function fold(text) {
  const decomposed = text.toLowerCase().normalize("NFD");
  const plain = decomposed.replace(/(\p{Script=Latin})[\u0300-\u036f]+/gu, "$1");
  return plain.replace(/[^\0-\x7f]/gu, (letter) => LETTERS[letter] ?? letter).normalize("NFC");
}
