import type { PoolHandle } from '../handle.js';
import type { Parcel } from './parcel.js';

/** What a thread of a worker pool knows from its start: its `workerData`. */
export interface ThreadData {
  readonly slabpool: 'worker-pool';
  readonly pool: PoolHandle;
}

/** A task, for a function that `job()` has made. */
export interface TaskMessage extends Parcel {
  readonly slabpool: 'task';
  /** Nobody wants the result any more, and there is nothing to adopt. */
  withdrawn: boolean;
}

/** What has become of a task: a result; or what the function has thrown, with its code, which no clone of an error has. */
export type Reply =
  | ({ readonly slabpool: 'result' } & Parcel)
  | { readonly slabpool: 'thrown'; readonly thrown: unknown; readonly code: unknown };

export function isReply(value: unknown): value is Reply {
  const { slabpool } = (value ?? {}) as Partial<Reply>;
  return slabpool === 'result' || slabpool === 'thrown';
}
