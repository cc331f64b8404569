/**
 * Stacks of errors, with the source files of the author.
 *
 * In a component, all modules are in one file. `ophost build` adds a table of the places of that
 * file in the source files, without those of the SDK.
 */

import { isError } from "./text.ts";

/** A source file, with the places of the bundle that come from it. */
export interface SourceFile {
  readonly path: string;
  /** Lines and columns from 1: of the bundle, then of the source file. Sorted. */
  readonly places: readonly (readonly [number, number, number, number])[];
}

/** A line of a stack. */
interface Frame {
  readonly function: string;
  readonly line: number;
  readonly column: number;
}

const V8_FRAME = /^\s*at (?:(.*?) \()?(?:.*?):(\d+):(\d+)\)?$/;
const SPIDERMONKEY_FRAME = /^(.*?)@(?:.*?):(\d+):(\d+)$/;
const MAX_CAUSES = 8;

let table: string | undefined;

/** Sets the source files of the component, a list of {@link SourceFile} as JSON text. */
export function setSources(text: string): void {
  table = text;
}

/** Returns the message and the stack of an error and of its causes. */
export function traceback(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  while (current !== undefined && parts.length < MAX_CAUSES) {
    parts.push(one(current));
    current = isError(current) ? current.cause : undefined;
  }
  return parts.join("\ncaused by: ");
}

function one(error: unknown): string {
  if (!isError(error)) return String(error);
  const title = error.message === "" ? error.name : `${error.name}: ${error.message}`;
  return [title, ...frames(error)].join("\n");
}

/** Returns the lines of the stack, without its message. */
function frames(error: Error): string[] {
  const lines = (error.stack ?? "").split("\n").map((line) => line.trimEnd());
  const parsed = lines.map(parse);
  if (table === undefined) return lines.filter((_, index) => parsed[index] !== undefined);
  const files: SourceFile[] = JSON.parse(table);
  return parsed.flatMap((frame) => (frame === undefined ? [] : located(frame, files)));
}

function parse(line: string): Frame | undefined {
  const match = V8_FRAME.exec(line) ?? SPIDERMONKEY_FRAME.exec(line);
  if (match === null) return undefined;
  return { function: match[1] ?? "", line: Number(match[2]), column: Number(match[3]) };
}

/** Returns the line of a frame of the author. Frames of the SDK have none. */
function located(frame: Frame, files: readonly SourceFile[]): string[] {
  for (const { path, places } of files) {
    // Places of one line are sorted by column: the last one before the frame counts.
    const before = places.findLast(
      ([line, column]) => line === frame.line && column <= frame.column,
    );
    const place = before ?? places.find(([line]) => line === frame.line);
    if (place !== undefined) {
      const name = /^(<anonymous>|)$/.test(frame.function) ? "<anonymous>" : frame.function;
      return [`    at ${name} (${path}:${place[2]}:${place[3]})`];
    }
  }
  return [];
}
