// Bundles the modules of a plugin with esbuild, and makes a component of the bundle.
//
// The argument is the path of a JSON file with the settings of `Settings` in `componentize.rs`. The
// result is one line of JSON on stdout: `{}`, or the `message` and the `cause` of an error.

import { readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
/** The name of the generated entry module. */
const ENTRY = "ophost:entry";
/** A frame of QuickJS or of StarlingMonkey. */
const FRAME = /^\s*(?:at (.*?) ?\([^()]*:(\d+):(\d+)\)|([^@\s]*)@[^@]*:(\d+):(\d+))\s*$/;
/** The place before the message of an error in StarlingMonkey. */
const START = /^\S*bundle\.js:(\d+):(\d+) /;
/** Lines of StarlingMonkey that do not help the author. */
const NOISE =
  /^(Failed to initialize component|Exception while evaluating|Additionally, some|Promise rejected|Stack:)/;
/** The text before the message of an error in QuickJS. */
const PREFIX = /^(: )?Failed to evaluate user JavaScript module: (Failed to [\w ]*: )?/;

/** An error of the author, with the fix that the host knows. */
class AuthorError extends Error {
  constructor(message, cause) {
    super(message);
    this.kind = cause;
  }
}

async function main() {
  const { code, sources } = await bundle();
  const text = `globalThis.OPHOST_SOURCES=${JSON.stringify(JSON.stringify(sources))};\n${code}`;
  const key = JSON.stringify({ ...settings, text, contract: contract() });
  if (previousKey() === key) return;
  // Without a key, an interrupted build is not taken for a complete one.
  rmSync(settings.key, { force: true });
  writeFileSync(settings.bundle, text);
  writeFileSync(settings.component, await componentize(text, sources));
  writeFileSync(settings.key, key);
}

/** Returns the key of the existing component. A component with the same key is not built again. */
function previousKey() {
  try {
    readFileSync(settings.component);
    return readFileSync(settings.key, "utf8");
  } catch {
    return undefined;
  }
}

/** Returns the texts of the contract. */
function contract() {
  const files = readdirSync(settings.contract).filter((name) => name.endsWith(".wit"));
  return files.sort().map((name) => readFileSync(join(settings.contract, name), "utf8"));
}

/** Returns the code of the bundle, and the source files of the author. */
async function bundle() {
  const esbuild = await load(settings.esbuild);
  try {
    const { outputFiles } = await esbuild.build({
      stdin: { contents: settings.entry, resolveDir: settings.root, sourcefile: ENTRY },
      absWorkingDir: settings.root,
      bundle: true,
      write: false,
      outfile: settings.bundle,
      format: "esm",
      platform: "browser",
      target: "es2023",
      charset: "utf8",
      external: ["ophost:plugin/*"],
      define: { OPHOST_ENGINE: JSON.stringify(settings.engine) },
      plugins: [sharedPackages()],
      sourcemap: "external",
      sourcesContent: false,
      legalComments: "none",
      logLevel: "silent",
    });
    const map = outputFiles.find((file) => file.path.endsWith(".map"));
    const code = outputFiles.find((file) => !file.path.endsWith(".map"));
    return { code: code.text, sources: sourcesOf(JSON.parse(map.text)) };
  } catch (error) {
    // Without the program of esbuild for this system, the first call fails.
    if (!Array.isArray(error.errors)) throw new AuthorError(error.message, "broken");
    const kind = "error";
    // The notes suggest options of esbuild, which the author does not call.
    const errors = error.errors.map((it) =>
      unresolved(it) === undefined ? it : { ...it, notes: [] },
    );
    const messages = await esbuild.formatMessages(errors, { kind });
    throw new AuthorError(messages.join("").trimEnd(), causeOf(error.errors));
  } finally {
    await esbuild.stop();
  }
}

/** All modules use the SDK and the zod of the project: a second copy would double the size. */
function sharedPackages() {
  const packages = join(settings.root, "node_modules") + sep;
  return {
    name: "ophost-packages",
    setup(build) {
      build.onResolve(
        { filter: /^(zod|ophost-sdk)(\/|$)/ },
        ({ path, importer, kind, pluginData }) => {
          if (pluginData === sharedPackages || importer.startsWith(packages)) return undefined;
          const options = { kind, resolveDir: settings.root, pluginData: sharedPackages };
          return build.resolve(path, options);
        },
      );
    },
  };
}

/** Returns the name of the module that an error of esbuild is about. */
function unresolved({ text }) {
  return /^Could not resolve "(.*)"/.exec(text)?.[1];
}

/** Returns the cause of errors of esbuild, if a fix is known. */
function causeOf(errors) {
  const names = errors.map(unresolved);
  const isBuiltin = (name) =>
    name !== undefined && (name.startsWith("node:") || builtinModules.includes(name));
  if (names.some(isBuiltin)) return "builtin";
  const isPackage = (name) => name !== undefined && !name.startsWith(".") && !isAbsolute(name);
  return names.some(isPackage) ? "package" : undefined;
}

/**
 * Returns the source files of the author with the places of the bundle that come from them: line
 * and column of the bundle, then of the file, from 1. One line is added to the bundle before.
 */
function sourcesOf(map) {
  const sdk = realpathSync(settings.sdk) + sep;
  const directory = dirname(settings.bundle);
  const files = map.sources.map((source) => {
    const file = resolve(directory, source);
    const isAuthor =
      !file.endsWith(ENTRY) && !file.startsWith(sdk) && !file.includes(`${sep}node_modules${sep}`);
    const isInside = file.startsWith(settings.root + sep);
    const path = isInside
      ? relative(settings.root, file)
      : file.slice(dirname(dirname(file)).length + 1);
    return isAuthor ? { path, places: [] } : undefined;
  });
  let [source, sourceLine, sourceColumn] = [0, 0, 0];
  map.mappings.split(";").forEach((line, index) => {
    let column = 0;
    for (const segment of line === "" ? [] : line.split(",")) {
      const values = vlq(segment);
      column += values[0];
      if (values.length < 4) continue;
      source += values[1];
      sourceLine += values[2];
      sourceColumn += values[3];
      files[source]?.places.push([index + 2, column + 1, sourceLine + 1, sourceColumn + 1]);
    }
  });
  return files.filter((file) => file !== undefined && file.places.length > 0);
}

/** Decodes the numbers of a segment of a source map. */
function vlq(segment) {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const values = [];
  let [value, shift] = [0, 0];
  for (const character of segment) {
    const digit = digits.indexOf(character);
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit < 32) {
      values.push(value & 1 ? -(value >>> 1) : value >>> 1);
      [value, shift] = [0, 0];
    }
  }
  return values;
}

/** Returns the component of a bundle. */
async function componentize(text, sources) {
  // The packages print to the console: stdout is only for the result.
  const output = captureOutput();
  try {
    const compile = settings.engine === "quickjs" ? quickjs : starlingmonkey;
    return await compile(text);
  } catch (error) {
    if (error instanceof AuthorError) throw error;
    const text = [output(), error.message].join("\n").trim();
    throw new AuthorError(located(text.replace(PREFIX, ""), sources));
  } finally {
    output();
  }
}

async function quickjs(text) {
  const { componentize } = await load(settings.componentizer);
  const { component } = await componentize({
    witPath: settings.contract,
    world: "plugin",
    jsSource: text,
    sync: true,
  });
  return component;
}

async function starlingmonkey() {
  const { componentize } = await load(settings.componentizer);
  const { component } = await componentize({
    witPath: settings.contract,
    worldName: "plugin",
    sourcePath: settings.bundle,
    disableFeatures: ["http", "fetch-event"],
  });
  return component;
}

/** Imports a module of the toolchain. */
async function load(path) {
  try {
    const module = await import(pathToFileURL(path).href);
    return "default" in module && !("componentize" in module) ? module.default : module;
  } catch (error) {
    throw new AuthorError(`cannot load \`${path}\`: ${error.message}`, "broken");
  }
}

/** Keeps what is written to stdout and stderr. The result restores both, and returns the text. */
function captureOutput() {
  const streams = [process.stdout, process.stderr];
  const originals = streams.map((stream) => stream.write);
  let text = "";
  for (const stream of streams) {
    stream.write = (chunk) => {
      text += chunk;
      return true;
    };
  }
  return () => {
    streams.forEach((stream, index) => {
      stream.write = originals[index];
    });
    return text;
  };
}

/**
 * Returns the message of an engine with the places of the source files. Frames of other files are
 * left out.
 */
function located(text, sources) {
  const lines = text.split("\n").filter((line) => !NOISE.test(line));
  const frames = lines.flatMap((line) => {
    const frame = FRAME.exec(line);
    if (frame === null) return [];
    const [, v8, v8Line, v8Column, spidermonkey, line_, column] = frame;
    const name = (v8 ?? spidermonkey ?? "").trim();
    return frameOf(name, Number(v8Line ?? line_), Number(v8Column ?? column), sources);
  });
  const places = lines.flatMap((line) => {
    const [, number, column] = START.exec(line) ?? [];
    return number === undefined ? [] : frameOf("", Number(number), Number(column), sources);
  });
  const message = lines.filter((line) => !FRAME.test(line)).map((line) => line.replace(START, ""));
  return [...message, ...(frames.length > 0 ? frames : places.slice(0, 1))].join("\n");
}

/** Returns the line of a frame in the source files, if it is in one. */
function frameOf(name, line, column, sources) {
  for (const { path, places } of sources) {
    const place = places.findLast((it) => it[0] === line && it[1] <= column);
    if (place !== undefined) {
      return [`    at ${name === "" ? "<anonymous>" : name} (${path}:${place[2]}:${place[3]})`];
    }
  }
  return [];
}

try {
  await main();
  process.stdout.write("{}\n");
} catch (error) {
  const message = error instanceof AuthorError ? error.message : (error.stack ?? String(error));
  process.stdout.write(`${JSON.stringify({ message, cause: error.kind })}\n`);
}
