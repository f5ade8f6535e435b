import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A process of this folder, which says when it is ready, and answers what it is asked with a message. */
export class Process {
  #child;
  /** Rejects when it ends. @type {Promise<never>} */
  #gone;

  /** @param {string} file @param {string[]} args */
  constructor(file, ...args) {
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), args);
    this.#gone = once(this.#child, 'exit').then(([code, signal]) => {
      throw new Error(`${file} ${args.join(' ')} has ended: ${code ?? signal}`);
    });
    this.#gone.catch(() => {});
  }

  get pid() {
    return /** @type {number} */ (this.#child.pid);
  }

  /** @param {string | object} message */
  tell(message) {
    // Whoever waits for an answer of one that is gone is told.
    this.#child.send(message, () => {});
  }

  /** Its next message. @returns {Promise<any>} */
  async answer() {
    const answered = new AbortController();
    try {
      const [message] = await Promise.race([once(this.#child, 'message', { signal: answered.signal }), this.#gone]);
      return message;
    } finally {
      answered.abort();
    }
  }

  /** @param {string | object} question */
  ask(question) {
    const answer = this.answer();
    this.tell(question);
    return answer;
  }

  async end() {
    this.#child.kill();
    await this.#gone.catch(() => {});
  }
}
