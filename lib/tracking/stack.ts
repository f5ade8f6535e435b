/** Frames that are captured: the program's, and our own, which call each other up to nine deep. */
const FRAMES = 16;
/** Names of the methods that the program can call: {@link ownMethods}. */
const METHODS = new Set<string>();

/** Has stacks begin below the methods of these classes, wherever a bundler has put them. */
export function ownMethods(...classes: readonly { prototype: object }[]): void {
  for (const { prototype } of classes) {
    for (const key of Reflect.ownKeys(prototype)) {
      METHODS.add(typeof key === 'string' ? key : `[${key.description}]`);
    }
  }
}

/**
 * A stack says who called us. It takes some 5 µs to capture, and its text as much again or more, so that is made when
 * it is asked for. Until then V8 keeps the functions of the frames and their `this` alive.
 */
export class Stack {
  #captured: { stack?: unknown } | null = {};
  #frames: readonly string[] = [];

  constructor() {
    const limit = Error.stackTraceLimit;
    // Not writable under --frozen-intrinsics.
    const limited = Reflect.set(Error, 'stackTraceLimit', FRAMES);
    try {
      Error.captureStackTrace(this.#captured as object);
    } catch {
      // JavaScriptCore makes the text now, by the program's `Error.prepareStackTrace`.
    }
    if (limited) Error.stackTraceLimit = limit;
  }

  /** The frames, innermost first. Makes the text, and lets go of everything else. */
  get frames(): readonly string[] {
    if (this.#captured === null) return this.#frames;
    const captured = this.#captured;
    this.#captured = null;
    const lines = textOf(captured)
      .split('\n')
      // JavaScriptCore has frames of its own in between, of which it says no more.
      .filter((line) => /^\s+at (?!(unknown|native)$)/.test(line))
      .map((line) => line.trim().slice('at '.length));
    this.#frames = lines.slice(ownFrames(lines));
    return this.#frames;
  }

  /** The innermost frame that is not of this package. */
  get site(): string {
    return this.frames[0] ?? 'an unknown place';
  }

  /** Ready to be printed. */
  get text(): string {
    return this.frames.map((frame) => `    at ${frame}`).join('\n');
  }
}

/** The program may have an `Error.prepareStackTrace` of its own, which may return anything, or throw. */
function textOf(captured: { stack?: unknown }): string {
  try {
    const { stack } = captured;
    return Array.isArray(stack) ? stack.map((frame) => `    at ${frame}`).join('\n') : String(stack);
  } catch {
    return '';
  }
}

/**
 * How many of the lines are ours. Lines begin with this file and the one that captures stacks, whatever they say of
 * where these lie: in a room of the package, whose folder is the one above. If that is one file, the program's code is
 * in it as well, bundled: then the frames of our methods are ours, and what is between.
 */
function ownFrames(lines: readonly string[]): number {
  const [here, next] = lines.map(fileOf);
  if (here === undefined || here !== next) {
    const folder = here?.slice(0, here.search(/[^/\\]*[/\\][^/\\]*$/)) ?? '';
    const others = lines.findIndex((line) => !fileOf(line).startsWith(folder));
    return others === -1 ? 0 : others;
  }
  let ours = 0;
  for (const [i, line] of lines.entries()) {
    if (fileOf(line) === here && METHODS.has(methodOf(line))) ours = i + 1;
    else if (ours > 0 && !/^(async )?#|\(<anonymous>\)$/.test(line)) break;
  }
  return ours;
}

/** `async Type.method [as other] (file:1:2)`, or `async file:1:2`. */
const FRAME = /^(?:async )?(?:(.*?) \()?(.*?)(?::\d+:\d+)?\)?$/;

function fileOf(line: string): string {
  return line.match(FRAME)?.[2] ?? '';
}

function methodOf(line: string): string {
  const name = line.match(FRAME)?.[1]?.replace(/ \[as .*\]$/, '') ?? '';
  return name.match(/(?:\[.*\]|[^. ]+)$/)?.[0] ?? '';
}
