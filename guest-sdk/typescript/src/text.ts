/** Texts of values, for messages. */

import { dump } from "./json.ts";

/** Returns a value as JSON text, or else the reason why JSON does not have it. */
export function dumpOrReason(value: unknown): string {
  try {
    return dump(value);
  } catch (error) {
    return JSON.stringify(messageOf(error));
  }
}

/** Returns whether a value is an error. Those of StarlingMonkey itself have another class `Error`. */
export function isError(value: unknown): value is Error {
  if (value instanceof Error) return true;
  const fields = typeof value === "object" && value !== null ? (value as Partial<Error>) : {};
  return typeof fields.message === "string" && typeof fields.stack === "string";
}

/** Returns the message of an error, or the text of another thrown value. */
export function messageOf(error: unknown): string {
  if (isError(error)) return error.message || error.name;
  return typeof error === "object" ? dumpOrReason(error) : String(error);
}

/** Returns the class of an error and its message, in one line. */
export function summary(error: unknown): string {
  if (!isError(error)) return `thrown value: ${oneLine(messageOf(error))}`;
  return oneLine(error.message === "" ? error.name : `${error.name}: ${error.message}`);
}

function oneLine(text: string): string {
  return text.split(/\s*\n\s*/).join(" ");
}
