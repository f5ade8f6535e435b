/** Stable codes of {@link SlabPoolError}. */
export type SlabPoolErrorCode =
  /** The buffer of a lease that is to be handed over or reclaimed has other leases: `retain()`. */
  | 'ERR_SLABPOOL_SHARED'
  /** An argument or option is of the wrong type or out of range. */
  | 'ERR_SLABPOOL_INVALID_ARG'
  /** A method of a lease was called on something else: it was passed as a callback, or the lease is behind a Proxy. */
  | 'ERR_SLABPOOL_INVALID_THIS'
  /** The byte budget (`maxBytes`) is full, with all that is free given up; or others wait, and come first; or all resources are used. */
  | 'ERR_SLABPOOL_EXHAUSTED'
  /** As many requests wait as may (`maxWaiting`). */
  | 'ERR_SLABPOOL_QUEUE_FULL'
  /** A wait has lasted as long as it may: for a lease, a thread, the end of a pool, at a channel. */
  | 'ERR_SLABPOOL_TIMEOUT'
  /** A request above `maxPooledSize` does not fit below `maxOversizeBytes`, or its lease is to be handed over. */
  | 'ERR_SLABPOOL_OVERSIZE'
  /** The operating system or the runtime has no memory to give. */
  | 'ERR_SLABPOOL_OUT_OF_MEMORY'
  /** The lease was released before. */
  | 'ERR_SLABPOOL_LEASE_RELEASED'
  /** The lease belongs to another pool. */
  | 'ERR_SLABPOOL_FOREIGN_LEASE'
  /** What the callback of `borrow()` returned is the object or resource that was lent, or lies in the memory that was. */
  | 'ERR_SLABPOOL_BORROWED'
  /** The ticket was used before, is another pool's, or was never given out. */
  | 'ERR_SLABPOOL_STALE_TICKET'
  /** The lease's ArrayBuffer was detached, so that there is nothing to hand over; or on its way, through a view that was kept. */
  | 'ERR_SLABPOOL_DETACHED'
  /** What is to be reclaimed is not over the lease's memory. */
  | 'ERR_SLABPOOL_FOREIGN_BUFFER'
  /** The thread that had a job died; or threads of a worker pool die before they can have one, or died between jobs. */
  | 'ERR_SLABPOOL_WORKER_DIED'
  /** A package that this needs is not installed: `details.package`. */
  | 'ERR_SLABPOOL_DEPENDENCY'
  /** The channel was closed, or this thread has left it. */
  | 'ERR_SLABPOOL_CHANNEL_CLOSED'
  /** Every other thread that had the channel is gone. */
  | 'ERR_SLABPOOL_PEER_GONE'
  /** An input ended within a record, a frame or a header, or a file before its size. `details.offset`: where that begins. */
  | 'ERR_SLABPOOL_TRUNCATED'
  /** A record or a frame is longer than `maxLength`, or a body than `maxBytes`. `details.offset`: where it begins. */
  | 'ERR_SLABPOOL_TOO_LONG'
  /** What an input says of itself cannot be: a length below that of its own header. `details.offset`: where it is. */
  | 'ERR_SLABPOOL_MALFORMED'
  /** `assertNoLeaks()` found leases that are out, or tickets that nobody has adopted. */
  | 'ERR_SLABPOOL_LEAK'
  /** The most there can be: 4096 pools or channels in a process, 4095 threads at a pool, 64 endpoints at a channel. */
  | 'ERR_SLABPOOL_LIMIT'
  /** A resource could not be opened. `cause`: what `open` threw or rejected with; `details.attempts`: how often it was tried. */
  | 'ERR_SLABPOOL_OPEN_FAILED'
  /** Resources could not be opened lately, so that for a while none is tried. `cause`: the last failure; `details.retryAfterMs`. */
  | 'ERR_SLABPOOL_CIRCUIT_OPEN'
  /** The pool was closed, or is being drained. */
  | 'ERR_SLABPOOL_CLOSED'
  /** The core's books contradict this thread's: a bug in slabpool. `details` is the evidence; please report it. */
  | 'ERR_SLABPOOL_INTERNAL'
  /** The native addon was asked for, or is there, but cannot be used. */
  | 'ERR_SLABPOOL_BACKEND';

/** Figures and texts of an error, by name. Those of each code: docs/reference.md. */
export type ErrorDetails = Readonly<Record<string, number | string>>;

/** The one error class of this package: a stable `code`, the pool's name, and the figures that explain it. */
export class SlabPoolError extends Error {
  /** `'SlabPoolError'` */
  override readonly name = 'SlabPoolError';
  /** What went wrong, for programs. */
  readonly code: SlabPoolErrorCode;
  /** Name of the pool, where one is concerned. */
  readonly pool: string | undefined;
  /** Figures that explain the error: byte counts end in `Bytes`, milliseconds in `Ms`. And stacks of tracked leases. */
  declare readonly details: ErrorDetails;

  constructor(
    code: SlabPoolErrorCode,
    message: string,
    context: { pool?: string; details?: ErrorDetails | (() => ErrorDetails); cause?: unknown } = {},
  ) {
    const prefix = context.pool === undefined ? '' : `pool '${context.pool}': `;
    super(prefix + message, 'cause' in context ? { cause: context.cause } : undefined);
    this.code = code;
    this.pool = context.pool;
    const { details = {} } = context;
    let read = typeof details === 'function' ? undefined : Object.freeze({ ...details });
    Object.defineProperty(this, 'details', {
      // Figures that take long to find out are found out when somebody wants to know.
      get: () => {
        read ??= Object.freeze((details as () => ErrorDetails)());
        return read;
      },
      enumerable: true,
    });
  }
}

/** An `ERR_SLABPOOL_INTERNAL`: the core has answered what its books rule out. */
export function internal(call: string, answer: number, evidence: Record<string, number>, pool?: string): SlabPoolError {
  const details = { call, answer, ...evidence };
  return new SlabPoolError(
    'ERR_SLABPOOL_INTERNAL',
    `the core's answer cannot be: this is a bug in slabpool, please report it with these details: ${JSON.stringify(details)}`,
    pool === undefined ? { details } : { pool, details },
  );
}

/** @param kind the class of the pool */
export function closedPool(pool: string, kind: string): SlabPoolError {
  return new SlabPoolError('ERR_SLABPOOL_CLOSED', `it was closed; make a new ${kind}`, { pool });
}

/** An `ERR_SLABPOOL_INVALID_ARG` that says what was expected and what was given. */
export function invalidArg(what: string, expected: string, given: unknown, pool?: string): SlabPoolError {
  // Else the message would read as if what was given were what is expected.
  const words = expected.toLowerCase().split(/[ ,]+/);
  const name = typeof given === 'object' && given !== null ? className(given).toLowerCase() : 'object';
  const isNamesake = name !== 'object' && words.includes(name);
  return new SlabPoolError(
    'ERR_SLABPOOL_INVALID_ARG',
    `${what}: expected ${expected}, got ${describe(given)}${isNamesake ? ' that is not of this copy of slabpool' : ''}`,
    pool === undefined ? {} : { pool },
  );
}

function describe(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `the string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value)}`;
    case 'function':
      return 'a function';
    case 'symbol':
      return 'a symbol';
    case 'bigint':
      return `the bigint ${value}n`;
    case 'object': {
      if (value === null) return 'null';
      return `an object of class ${className(value)}`;
    }
    default:
      return Object.is(value, -0) ? '-0' : String(value);
  }
}

/** The name of an object's class. Reading a stranger's properties may run its code, which may throw. */
function className(value: object): string {
  try {
    return String(value.constructor.name);
  } catch {
    return 'unknown';
  }
}
