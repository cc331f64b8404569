/** The plugin `NAME`. */

import { defineOperation } from "ophost-sdk";
import * as z from "zod";

const Person = z
  .object({
    name: z.string().min(1).describe("The name of the person"),
    greeting: z.string().default("Hello").describe("The first word of the greeting"),
  })
  .describe("The person to greet.");

const Answer = z
  .object({ text: z.string().describe("The complete greeting") })
  .describe("The answer to a person.");

export const MODULE = defineOperation({
  name: "MODULE",
  description: "Greets a person by name.",
  category: "demo",
  asyncEnabled: true,
  input: Person,
  output: Answer,
  run: ({ name, greeting }) => ({ text: `${greeting}, ${name}!` }),
});
