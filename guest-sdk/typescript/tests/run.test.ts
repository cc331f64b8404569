import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";

import {
  Collection,
  context,
  defineModel,
  defineOperation,
  Failure,
  itemErrors,
  log,
  NotFound,
  progress,
} from "../src/index.ts";
import { invoke, memory, run } from "../src/testing/index.ts";

const base = { name: "it", description: "Does it.", category: "test" };
const Note = defineModel(
  "Note",
  z.object({ title: z.string(), count: z.int(), place: z.object({ shelf: z.int() }).optional() }),
);

/** Returns an operation that runs a function with notes. */
function withNotes<T extends z.ZodType>(output: T, body: (notes: any) => any) {
  return defineOperation({
    ...base,
    output,
    collections: { notes: Note },
    run: (_, { notes }) => body(notes),
  });
}

test("input has defaults, and output is validated", () => {
  const echo = defineOperation({
    ...base,
    input: z.object({ text: z.string(), times: z.int().max(3).default(2) }),
    output: z.object({ text: z.string(), times: z.int() }),
    run: (input) => (input.text === "bad" ? { text: "x", times: 1.5 } : input),
  });
  assert.equal(invoke(echo, '{"text":"a"}'), '{"text":"a","times":2}');
  const { failure } = run(echo, { text: "a", times: 4 });
  assert.deepEqual([failure?.kind, failure?.code], ["permanent", "invalid-input"]);
  assert.match(failure?.message ?? "", /^invalid input: `times`: /);
  const big = run(defineOperation({ ...base, input: z.object({ a: z.int() }), run() {} }), {
    a: 2n ** 60n,
  });
  if ("rawJSON" in JSON) {
    assert.match(big.failure?.message ?? "", /`a`: .* an integer beyond 2\^53; use `int64\(\)`/);
  }
  assert.match(run(echo, { text: "bad" }).failure?.message ?? "", /^invalid output: `times`: /);
});

test("any thrown value is a failure", () => {
  const failureOf = (thrown: unknown) =>
    run(
      defineOperation({
        ...base,
        run() {
          throw thrown;
        },
      }),
      {},
    ).failure;
  const failure = failureOf(new TypeError("wrong\n type", { cause: new Error("the cause") }));
  assert.deepEqual([failure?.message, failure?.code], ["TypeError: wrong type", "TypeError"]);
  assert.match(failure?.traceback ?? "", /run.test.ts.*\n[^]*caused by: Error: the cause\n/);
  assert.equal(failureOf("a text")?.message, "thrown value: a text");
  assert.equal(failureOf(undefined)?.message, "thrown value: undefined");
  assert.equal(failureOf(undefined)?.code, "undefined");
  const declared = failureOf(Failure.retryable("later", { code: "busy", details: { a: 1 } }));
  assert.deepEqual(declared, {
    kind: "retryable",
    message: "later",
    code: "busy",
    details: { a: 1 },
    traceback: undefined,
  });
});

test("a promise is a failure", () => {
  const promise = defineOperation({ ...base, output: z.any(), run: () => Promise.resolve(1) });
  assert.match(run(promise, {}).failure?.message ?? "", /`it` returned a promise/);
});

test("log, progress, item errors and the context", () => {
  const report = run(
    defineOperation({
      ...base,
      run() {
        log.warn("careful", { a: 1 });
        log.info("odd", { a: Number.NaN });
        progress.report(1, 4, "a quarter");
        itemErrors.add(2, { id: 3 }, new RangeError("too far"));
        assert.equal(context.userId(), "ada");
        assert.equal(context.attempt(), 1);
        assert.ok(Math.abs(context.now().getTime() - Date.now()) < 1_000);
        assert.ok(context.timeLeft() > 0);
        assert.match(context.randomUuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
        assert.ok(context.random() < 1 && context.randomBytes(5).length === 5);
        for (const count of [-1, 1.5, Number.NaN, 2 ** 53]) {
          assert.throws(() => progress.report(count), RangeError);
        }
      },
    }),
    {},
    { userId: "ada" },
  );
  assert.equal(report.failure, undefined);
  assert.deepEqual(report.logs, [
    { level: "warn", message: "careful", data: { a: 1 } },
    { level: "info", message: "odd", data: "`a` is NaN, which JSON does not have" },
  ]);
  assert.deepEqual(report.progress, [{ done: 1, total: 4, message: "a quarter" }]);
  const [{ index, item, error, traceback }] = report.itemErrors as [any];
  assert.deepEqual([index, item, error], [2, { id: 3 }, "too far"]);
  assert.match(traceback, /^RangeError: too far\n/);
});

test("save writes changed fields and keeps unknown ones", () => {
  const documents = memory();
  const Wide = defineModel("Note", z.looseObject({}));
  documents.seed(Wide, {
    id: "a",
    title: "A",
    count: 1,
    colour: "red",
    place: { shelf: 1, room: "x" },
  });
  const change = withNotes(z.null(), (notes) => {
    const note = notes.require("a");
    assert.equal(notes.revision(note), 1);
    notes.merge("a", { title: "changed by another" });
    note.count += 10;
    note.place.shelf = 2;
    notes.save(note);
    assert.equal(notes.revision(note), 0);
    return null;
  });
  assert.equal(run(change, {}).failure, undefined);
  assert.deepEqual(documents.documents("notes"), {
    a: {
      title: "changed by another",
      count: 11,
      colour: "red",
      place: { shelf: 2, room: "x" },
    },
  });
});

test("queries are filtered, sorted and read page by page", () => {
  const documents = memory();
  const notes = Array.from({ length: 2_500 }, (_, count) => ({ title: `t${count % 7}`, count }));
  documents.seed(Note, ...notes);
  const query = withNotes(z.any(), (collection) => [
    collection
      .find({ count: { $gte: 10 } })
      .sort("-count")
      .all().length,
    collection
      .find()
      .sort("-count")
      .skip(1_999)
      .limit(2)
      .all()
      .map((note: any) => note.count),
    collection.find({ title: { $regex: "^t[01]$" } }).count(),
    collection
      .find({ $or: [{ count: 3 }, { count: { $in: [4, 5] } }] })
      .sort("count")
      .first().count,
    collection.count({ count: { $not: { $lt: 2_499 } } }),
  ]);
  assert.deepEqual(run(query, {}).output, [2_490, [500, 499], 715, 3, 1]);
});

test("writes of a failed run are discarded", () => {
  const documents = memory();
  const fail = withNotes(z.null(), (notes) => {
    notes.insert({ title: "a", count: 1 });
    throw new Failure("no");
  });
  run(fail, {});
  assert.deepEqual(documents.documents("notes"), {});
});

test("a caught document error discards the writes, unless it is handled", () => {
  const documents = memory();
  const caught = (isHandled: boolean) =>
    withNotes(z.null(), (notes) => {
      notes.put("a", { title: "a", count: 1 });
      try {
        notes.require("missing");
      } catch (error) {
        if (error instanceof NotFound && isHandled) error.handled();
      }
      return null;
    });
  assert.match(run(caught(false), {}).logs[0]?.message ?? "", /are discarded, because it caught/);
  assert.deepEqual(documents.documents("notes"), {});
  assert.deepEqual(run(caught(true), {}).logs, []);
  assert.deepEqual(Object.keys(documents.documents("notes")), ["a"]);
});

test("document errors have codes", () => {
  const documents = memory();
  documents.seed(Note, { id: "a", title: "A", count: 1 });
  documents.seed(defineModel("Note", z.looseObject({})), { id: "odd", title: 5 });
  const code = (body: (notes: any) => unknown) =>
    run(
      withNotes(z.any(), (notes) => body(notes) ?? null),
      {},
    ).failure?.code;
  assert.equal(
    code((notes) => notes.require("b")),
    "not-found",
  );
  assert.equal(
    code((notes) => notes.insert({ id: "a", title: "", count: 0 })),
    "exists",
  );
  assert.equal(
    code((notes) => notes.get("odd")),
    "does-not-fit",
  );
  assert.equal(
    code((notes) => notes.put("c", { title: "", count: 1.5 })),
    "does-not-fit",
  );
  assert.equal(
    code((notes) => notes.find({ count: { $near: 1 } }).all()),
    "invalid",
  );
  const stale = { tag: "at", val: 7 };
  assert.equal(
    code((notes) => notes.put("a", { title: "", count: 1 }, stale)),
    "stale",
  );
  // The model is declared only for reading.
  const read = defineOperation({
    ...base,
    readCollections: { notes: Note },
    run: (_, { notes }) => void new Collection(notes.model).delete("a"),
  });
  assert.equal(run(read, {}).failure?.code, "denied");
});
