import { once } from 'node:events';
import { MessageChannel, setEnvironmentData, Worker } from 'node:worker_threads';
import type { BufferPool, PoolHandle } from 'slabpool';
import type { actions } from './fixtures/member.mjs';

type Actions = typeof actions;
type Answer = { id: number; value?: unknown; error?: { name: string; code: string; message: string } };

/** How a handle gets to a worker. */
export const WAYS = ['workerData', 'postMessage', 'setEnvironmentData', 'MessagePort'] as const;

const alive = new Set<Member>();

/** Another thread that has the pool: fixtures/member.mjs. */
export class Member {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (reason: unknown) => void }>();
  #asked = 0;
  /** Settles when the thread is gone. */
  readonly gone: Promise<void>;

  private constructor(worker: Worker) {
    this.#worker = worker;
    alive.add(this);
    worker.on('message', (answer: Answer | string) => {
      if (typeof answer === 'string') return;
      const { resolve, reject } = this.#waiting.get(answer.id) ?? {};
      this.#waiting.delete(answer.id);
      if (answer.error === undefined) resolve?.(answer.value as never);
      else reject?.(Object.assign(new Error(answer.error.message), answer.error));
    });
    // Expected by some tests; the others notice it by their call that fails.
    worker.on('error', () => {});
    // Not events.once(), which an error rejects.
    this.gone = new Promise<void>((resolve) => {
      worker.on('exit', (code) => {
        alive.delete(this);
        for (const { reject } of this.#waiting.values()) reject(new Error(`the thread ended with code ${code}`));
        resolve();
      });
    });
  }

  /** A thread that has attached to the pool; without one, it waits for an `attach`. */
  static async start(pool?: BufferPool | PoolHandle, way: (typeof WAYS)[number] = 'workerData'): Promise<Member> {
    const handle = pool !== undefined && 'slabpool' in pool ? pool : pool?.handle;
    const { port1, port2 } = new MessageChannel();
    setEnvironmentData('slabpool handle', way === 'setEnvironmentData' ? handle : undefined);
    const worker = new Worker(new URL('fixtures/member.mjs', import.meta.url), {
      workerData: {
        detached: handle === undefined,
        handle: way === 'workerData' ? handle : undefined,
        channel: way === 'MessagePort' ? port2 : undefined,
      },
      transferList: [port2],
    });
    const member = new Member(worker);
    if (way === 'postMessage') worker.postMessage(handle);
    if (way === 'MessagePort') port1.postMessage(handle);
    await once(worker, 'message');
    port1.close();
    return member;
  }

  call<K extends keyof Actions>(name: K, ...args: Parameters<Actions[K]>): Promise<Awaited<ReturnType<Actions[K]>>> {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, name, args });
    });
  }

  /** Does not return before the thread is gone. */
  async terminate(): Promise<void> {
    await Promise.all([this.#worker.terminate(), this.gone]);
  }
}

/** For the end of a test: no thread is left. */
export async function terminateAll(): Promise<void> {
  await Promise.all([...alive].map((member) => member.terminate()));
}
