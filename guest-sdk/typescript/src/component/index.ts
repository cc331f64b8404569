/**
 * The component: the exports that the host calls, and the host that the SDK calls.
 *
 * `ophost build` generates the entry module of a component:
 *
 *     import "ophost-sdk/component/preload";
 *     import * as plugin from "MAIN";
 *     import { exportPlugin } from "ophost-sdk/component";
 *     export const operations = exportPlugin("NAME", "VERSION", plugin);
 *
 * esbuild bundles it with the modules of the author. `ophost:plugin/*` stays external, and
 * `OPHOST_ENGINE` is defined as the name of the engine.
 */

import { invoke, type ReportedFailure, toFailure } from "../dispatch.ts";
import { type Description, Operation } from "../operation.ts";
import { setSources } from "../stack.ts";
import { dumpOrReason, messageOf } from "../text.ts";
import { beginRunning } from "./preload.ts";

declare global {
  /** The source files of the component, as JSON text. `ophost build` adds them to the bundle. */
  var OPHOST_SOURCES: string;
}

/** The description of a plugin, as the contract has it. */
interface PluginDescription {
  readonly name: string;
  readonly version: string;
  readonly annotations: readonly never[];
  readonly operations: readonly Description[];
}

/** The exported interface. */
export interface Operations {
  describe(): PluginDescription;
  invoke(operation: string, input: string): string;
}

/**
 * Returns the exports of a plugin: of all operations that its main module exports, alone or in
 * lists.
 *
 * The description is made here, while the component is built. A mistake in it fails the build.
 */
export function exportPlugin(name: string, version: string, plugin: object): Operations {
  setSources(globalThis.OPHOST_SOURCES);
  const operations = operationsOf(name, plugin);
  const described = [...operations.values()].map((operation) => operation.description);
  warmUp(operations.values());
  return {
    describe: () => ({ name, version, annotations: [], operations: described }),
    invoke: (operation, input) => {
      beginRunning();
      return run(name, operations.get(operation), operation, input);
    },
  };
}

function operationsOf(plugin: string, exported: object): Map<string, Operation> {
  const found = new Map<string, Operation>();
  const values = Object.values(exported).flat();
  for (const value of new Set(values.filter((one) => one instanceof Operation))) {
    if (found.has(value.name)) {
      throw new TypeError(`two operations have the name \`${value.name}\``);
    }
    found.set(value.name, value);
  }
  if (found.size === 0) {
    throw new TypeError(
      `plugin \`${plugin}\` has no operation; its main module must export the results of ` +
        "`defineOperation`",
    );
  }
  return found;
}

/** Makes zod compile the schemas now, because the snapshot keeps the result for all runs. */
function warmUp(operations: Iterable<Operation>): void {
  for (const { input, output } of operations) {
    for (const schema of [input, output]) schema?.safeParse({});
  }
}

function run(
  plugin: string,
  operation: Operation | undefined,
  name: string,
  input: string,
): string {
  try {
    if (operation !== undefined) return invoke(operation, input);
  } catch (error) {
    if (isOutOfMemory(error)) throw error; // the component traps, and the host reports the limit
    throw failure(toFailure(error));
  }
  const message = `plugin \`${plugin}\` has no operation \`${name}\``;
  throw failure({
    kind: "permanent",
    message,
    code: "unknown-operation",
    details: undefined,
    traceback: undefined,
  });
}

/** Returns the value that both engines convert to the error of the contract. */
function failure({ kind, message, code, details, traceback }: ReportedFailure): object {
  const text = details === undefined ? undefined : dumpOrReason(details);
  return { tag: kind, val: { message, code, details: text, traceback } };
}

function isOutOfMemory(error: unknown): boolean {
  return /out of memory|allocation size overflow/i.test(messageOf(error));
}
