import assert from "node:assert/strict";
import { test } from "node:test";

import { invoke } from "ophost-sdk/testing";

import { fold } from "../src/latin.ts";
import { slugify, wordCount } from "../src/plugin.ts";

test("the default of top is zero", () => {
  const output = invoke(wordCount, '{"text": "hi"}');
  assert.equal(output, '{"words":1,"lines":1,"characters":2,"most_frequent":[]}');
});

test("words are sorted by frequency, then alphabet", () => {
  const { most_frequent } = wordCount.run(
    { text: 'The cat, the dog - "the" bird; cat!', top: 3 },
    {},
  );
  assert.deepEqual(
    most_frequent.map(({ word, count }) => [word, count]),
    [
      ["the", 3],
      ["cat", 2],
      ["bird", 1],
    ],
  );
});

test("the default separator is a hyphen", () => {
  assert.equal(invoke(slugify, '{"text": "a b"}'), '{"slug":"a-b"}');
});

test("composed and combining accents are dropped", () => {
  assert.equal(fold("Été"), "ete");
  assert.equal(fold("E\u0301te\u0301"), "ete");
});
