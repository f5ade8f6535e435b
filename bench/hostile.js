import { closeAgainstSend } from './hostile/close-against-send.js';

export const title = 'what happens on bad days: counts, not times';

/** @param {import('./index.js').Context} context */
export async function run({ effort, progress, facts }) {
  const seconds = effort.seconds * 300; // a minute, a quarter of one with --quick
  progress(`close against send, ${seconds} s`);
  const { rounds, lost } = await closeAgainstSend(seconds);
  facts({ 'close against send: rounds': rounds, 'close against send: messages lost': lost });
}
