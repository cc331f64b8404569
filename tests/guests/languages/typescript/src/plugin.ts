/** The operations of the language table. `README.md` of `tests/guests/languages` describes them. */

import {
  defineModel,
  defineOperation,
  Failure,
  int64,
  itemErrors,
  log,
  progress,
  uint64,
} from "ophost-sdk";
import * as z from "zod";

const category = "languages";

const Echo = z.object({
  text: z.string().describe("The text."),
  times: z.int().min(1).max(3).default(2).describe("The number."),
});

export const echo = defineOperation({
  name: "echo",
  description: "Returns its input.",
  category,
  tags: ["first", "second"],
  input: Echo,
  output: Echo,
  run: (input) => input,
});

const Integers = z.object({ signed: int64(), unsigned: uint64() });

export const integers = defineOperation({
  name: "integers",
  description: "Returns its integers.",
  category,
  input: Integers,
  output: Integers,
  run: (input) => input,
});

const Note = defineModel("Note", z.object({ title: z.string(), count: z.int() }));

export const changeNotes = defineOperation({
  name: "change_notes",
  description: "Adds 10 to notes, deletes the note `c`, and creates a note.",
  category,
  asyncEnabled: true,
  input: z.object({ minimum: z.int() }),
  output: z.object({ changed: z.array(z.string()), created: z.string(), total: z.int() }),
  collections: { notes: Note },
  run({ minimum }, { notes }) {
    const changed = [];
    notes.delete("c");
    for (const note of notes.find({ count: { $gte: minimum } }).sort("-count")) {
      note.count += 10;
      notes.save(note);
      changed.push(note.id);
    }
    const created = notes.insert({ title: "new", count: 0 });
    return { changed, created: notes.require(created).id, total: notes.count() };
  },
});

export const logLevels = defineOperation({
  name: "log_levels",
  description: "Writes a log entry of each level.",
  category,
  run() {
    log.trace("a trace");
    log.debug("a debug");
    console.info("an info");
    console.warn("a warn");
    log.error("an error");
  },
});

export const reportProgress = defineOperation({
  name: "report_progress",
  description: "Reports progress and pauses.",
  category,
  run() {
    progress.report(1, 4, "a quarter");
    const end = Date.now() + 500;
    while (Date.now() < end);
  },
});

export const addItemErrors = defineOperation({
  name: "add_item_errors",
  description: "Adds errors for two items.",
  category,
  run() {
    itemErrors.add(0, "first", "the first is broken");
    itemErrors.add(2, "third", new Error("the third is broken"));
  },
});

export const fail = defineOperation({
  name: "fail",
  description: "Returns a permanent failure.",
  category,
  run() {
    throw Failure.permanent("nothing is left", { code: "no-stock", details: { left: 0 } });
  },
});

/** Throws a `TypeError`. */
function lookUp(key: string): number {
  const empty: Record<string, { length: number }> = {};
  return empty[key]!.length;
}

export const raise = defineOperation({
  name: "raise",
  description: "Fails with an exception.",
  category,
  output: z.int(),
  run: () => lookUp("nothing"),
});

export const abort = defineOperation({
  name: "abort",
  description: "Ends without a result.",
  category,
  run() {
    // The SDK does not catch this error, because an engine without memory cannot continue.
    throw new Error("out of memory: the end");
  },
});

export const spin = defineOperation({
  name: "spin",
  description: "Loops forever.",
  category,
  run() {
    for (;;);
  },
});

export const allocate = defineOperation({
  name: "allocate",
  description: "Allocates memory forever.",
  category,
  run() {
    const blocks = [];
    for (;;) blocks.push(new Uint8Array(1 << 20).fill(1));
  },
});
