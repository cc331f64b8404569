import assert from "node:assert/strict";
import { test } from "node:test";

import { dump, isEqual, NotJsonError, parse } from "../src/json.ts";

// Node.js 20 has no access to the text of a number while it parses JSON.
const HAS_SOURCES = "rawJSON" in JSON;

test("integers beyond 2^53 are exact or an error", () => {
  const text = '{"a":[9007199254740993,-9223372036854775808]}';
  if (HAS_SOURCES) assert.equal(dump(parse(text)), text);
  else assert.throws(() => parse(text), /Node.js 22 or later/);
  assert.deepEqual(parse('{"a":9007199254740991,"b":0.12345678901234567}'), {
    a: 9007199254740991,
    b: 0.12345678901234567,
  });
});

test("bigints are integers of at most 64 bits", () => {
  assert.equal(
    dump({ a: 2n ** 64n - 1n, b: -(2n ** 63n), c: 5n }),
    '{"a":18446744073709551615,"b":-9223372036854775808,"c":5}',
  );
  assert.throws(() => dump({ a: [2n ** 64n] }), /`a.0` is 18446744073709551616, which 64 bits/);
});

test("floats beyond 2^53 stay floats", () => {
  assert.equal(dump([1e20, 0.5, 1e300, -0]), "[1e+20,0.5,1e+300,0]");
});

test("values that JSON does not have are named", () => {
  const error = (value: unknown, text: RegExp) => {
    assert.throws(
      () => dump(value),
      (it) => it instanceof NotJsonError && text.test(it.message),
    );
  };
  error(Number.NaN, /^the value is NaN/);
  error({ a: { b: Number.POSITIVE_INFINITY } }, /^`a.b` is Infinity/);
  error({ a: () => 1 }, /^`a` is of type `function`/);
  error({ a: new Map() }, /^`a` is a `Map`/);
  error(["\ud800"], /^`0` contains half of a surrogate pair/);
  const cycle: unknown[] = [];
  cycle.push(cycle);
  error(cycle, /^`0` contains itself/);
});

test("dates become texts, and missing fields are left out", () => {
  assert.equal(dump({ a: new Date(0), b: undefined }), '{"a":"1970-01-01T00:00:00.000Z"}');
  assert.equal(dump(JSON.parse('{"__proto__":{"a":1}}')), '{"__proto__":{"a":1}}');
});

test("values are compared deeply", () => {
  assert.ok(isEqual({ a: [1, { b: null }] }, { a: [1, { b: null }] }));
  assert.ok(!isEqual({ a: 1 }, { a: 1, b: 2 }));
  assert.ok(!isEqual([], {}));
  assert.ok(!isEqual({ a: null }, {}));
});
