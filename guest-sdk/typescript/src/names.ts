/** The rules of the contract for names and texts. */

const MAX_NAME_BYTES = 128;
const MAX_DESCRIPTION_BYTES = 8 * 1024;
const MAX_COLLECTION_BYTES = 64;
const OPERATION = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/;
const COLLECTION = /^[a-z][a-z0-9_]*([.-][a-z0-9_]+)*$/;

/** Checks the name of an operation. */
export function checkOperation(name: string): void {
  checkText("name of an operation", name, MAX_NAME_BYTES);
  if (!OPERATION.test(name)) {
    throw new TypeError(
      `\`${name}\` is not a valid operation name: expected parts of \`[a-z][a-z0-9_]*\` joined by ` +
        "dots",
    );
  }
  if (name.split(".")[0] === "ophost") {
    throw new TypeError(
      `\`${name}\` is not a valid operation name: names under \`ophost\` are reserved for the host`,
    );
  }
}

/** Checks the texts of an operation. */
export function checkTexts(description: string, category: string): void {
  checkText("description", description, MAX_DESCRIPTION_BYTES);
  checkText("category", category, MAX_NAME_BYTES);
}

/** Checks the name of a collection. */
export function checkCollection(name: string): void {
  if (name.length > MAX_COLLECTION_BYTES || !COLLECTION.test(name)) {
    throw new TypeError(
      `\`${name}\` is not a valid collection name: expected lower case letters, digits and \`_\`, ` +
        `a letter first, in parts joined by dots or dashes, at most ${MAX_COLLECTION_BYTES} bytes`,
    );
  }
}

/** Returns the default collection of a model: the plural of its name, in lower case. */
export function collectionOf(model: string): string {
  const name = model.toLowerCase();
  return name + (/(s|x|z|ch|sh)$/.test(name) ? "es" : "s");
}

function checkText(what: string, text: unknown, maxBytes: number): void {
  if (typeof text !== "string" || text.trim() === "") {
    throw new TypeError(`the ${what} must be a text that is not empty`);
  }
  const size = encodeURIComponent(text).replace(/%../g, "x").length;
  if (size > maxBytes) {
    throw new TypeError(`the ${what} has ${size} bytes, at most ${maxBytes} are allowed`);
  }
}
