import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";

import { defineModel, defineOperation, type Operation, int64, uint64 } from "../src/index.ts";
import { jsonSchema } from "../src/schema.ts";

const base = { name: "it", description: "Does it.", category: "test" };

function schemaOf({ description }: Pick<Operation, "description">, side: "input" | "output"): any {
  return JSON.parse(description[`${side}Schema`]);
}

test("schemas have descriptions, defaults and constraints", () => {
  const input = z.object({
    text: z.string().describe("The text."),
    times: z.int().min(1).max(3).default(2),
    mail: z.email().optional(),
  });
  const schema = schemaOf(defineOperation({ ...base, input, run() {} }), "input");
  assert.deepEqual(schema.required, ["text"]);
  assert.equal(schema.additionalProperties, false);
  assert.equal(schema.properties.text.description, "The text.");
  assert.deepEqual(schema.properties.times, {
    default: 2,
    type: "integer",
    minimum: 1,
    maximum: 3,
  });
  assert.deepEqual(schema.properties.mail, { type: "string", format: "email" });
});

test("an operation without an input and an output takes an object and returns null", () => {
  const operation = defineOperation({ ...base, run() {} });
  assert.deepEqual(schemaOf(operation, "input").properties, {});
  assert.equal(schemaOf(operation, "output").type, "null");
});

test("64-bit integers have exact bounds", () => {
  assert.deepEqual(jsonSchema(int64(), "input"), {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "integer",
    minimum: -(2n ** 63n),
    maximum: 2n ** 63n - 1n,
  });
  const described = jsonSchema(
    z.object({ a: uint64({ max: 9 }).describe("A.").prefault(5) }),
    "input",
  );
  assert.deepEqual((described as any).properties.a, {
    type: "integer",
    description: "A.",
    default: 5,
    minimum: 0n,
    maximum: 9n,
  });
  assert.equal(int64().parse(5), 5n);
  assert.throws(() => uint64().parse(-1n), /expected an integer from 0 to 18446744073709551615/);
  assert.throws(() => int64().parse(2 ** 60), /expected an integer/);
});

test("models add collections", () => {
  const Job = defineModel("Job", z.object({ title: z.string() }));
  const Account = defineModel("Account", z.object({}), { collection: "bank.accounts" });
  const { description } = defineOperation({
    ...base,
    collections: { accounts: Account },
    readCollections: { jobs: Job },
    annotations: { "ophost.idempotent": true },
    run(_, { accounts, jobs }) {
      assert.equal(accounts.name + jobs.name, "");
    },
  });
  assert.deepEqual([description.modelsOut, description.modelsIn], [["Account"], ["Job"]]);
  assert.deepEqual(description.annotations, [
    { key: "ophost.idempotent", value: "true" },
    { key: "ophost.collections", value: '{"Account":"bank.accounts"}' },
  ]);
});

test("invalid definitions are errors that name the operation and the field", () => {
  const error = (options: object, text: RegExp) => {
    assert.throws(() => defineOperation({ ...base, run() {}, ...options }), text);
  };
  error({ name: "A" }, /`A` is not a valid operation name/);
  error({ name: "ophost.a" }, /names under `ophost` are reserved/);
  error({ description: "" }, /operation `it`: the description must be a text/);
  error({ category: "x".repeat(129) }, /operation `it`: the category has 129 bytes/);
  error({ async run() {} }, /operation `it`: `run` must be a plain function/);
  error(
    { input: z.object({ a: z.array(z.object({ b: z.date() })) }) },
    /operation `it`: input: `a.b`: JSON Schema cannot describe `z.date`; use `z.iso.datetime\(\)`/,
  );
  error(
    { output: z.bigint() },
    /output: the value: .* `z.bigint`; use `int64\(\)` or `uint64\(\)`/,
  );
  assert.throws(
    () => defineModel("Job", z.object({ id: z.string() })),
    /field `id` of model `Job`/,
  );
  assert.throws(() => defineModel("Job", z.object({}), { collection: "A" }), /valid collection/);
});
