import assert from "node:assert/strict";
import { test } from "node:test";

import { invoke, run } from "ophost-sdk/testing";

import { MODULE } from "../src/MODULE.js";

test("a person is greeted by name", () => {
  assert.equal(invoke(MODULE, '{"name":"Ada"}'), '{"text":"Hello, Ada!"}');
});

test("an empty name is invalid", () => {
  assert.equal(run(MODULE, { name: "" }).failure?.code, "invalid-input");
});
