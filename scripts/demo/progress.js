import cliProgress from 'cli-progress';

/**
 * Tells a person how far one phase is: a bar on a terminal, one plain line where the output goes to a file or a pipe.
 */
export class Progress {
  /** @type {cliProgress.SingleBar | undefined} */
  #bar;

  /**
   * @param {string} phase
   * @param {number} total
   */
  constructor(phase, total) {
    if (!process.stdout.isTTY) {
      console.log(`${phase} ...`);
      return;
    }
    this.#bar = new cliProgress.SingleBar({
      format: `${phase} [{bar}] {percentage}% {detail}`,
      stream: process.stdout,
      barsize: 28,
      hideCursor: null,
      clearOnComplete: true,
    });
    this.#bar.start(total, 0, { detail: '' });
  }

  /**
   * @param {number} value
   * @param {string} [detail]
   */
  update(value, detail = '') {
    this.#bar?.update(value, { detail });
  }

  stop() {
    this.#bar?.stop();
  }
}
