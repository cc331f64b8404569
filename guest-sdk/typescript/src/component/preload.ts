/** What the modules of the author need. The entry module of a component imports this one first. */

import { componentHost } from "./host.ts";
import { installConsole } from "./console.ts";
import { installRandom } from "./random.ts";
import { provide } from "../host.ts";
import { u64Format } from "./u64.ts";

declare global {
  /** The engine of the component. `ophost build` defines it. */
  var OPHOST_ENGINE: string;
}

const host = componentHost(u64Format(OPHOST_ENGINE));
let isRunning = false;

/** Makes the host available: the host has called the component. */
export function beginRunning(): void {
  isRunning = true;
}

provide(() => {
  if (!isRunning) {
    throw new Error(
      "the host can be called only while an operation runs; module-level code runs while the " +
        "component is built",
    );
  }
  return host;
});
installConsole(() => isRunning);
installRandom(() => (isRunning ? host.context.random32() : undefined));
