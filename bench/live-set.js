import * as contenders from './contenders.js';
import { liveSet, prepared } from './loops.js';
import { measure } from './measure.js';
import { logNormal, webSocket } from './sizes.js';

export const title = "live set (Netty's AllocPattern): release one in shuffled order, acquire another";

/** @param {import('./index.js').Context} context */
export async function run({ effort, progress, report }) {
  const { slabpool, naive, fair, allocUnsafe } = contenders;
  for (const [kind, sizes] of /** @type {const} */ ([
    ['log-normal', logNormal],
    ['WebSocket proxy', webSocket],
  ])) {
    for (const length of [128, 1024, 4096, 16_384]) {
      for (const touched of [true, false]) {
        const label = `${length} buffers, ${kind}${touched ? '' : ', untouched'}`;
        const cases = [slabpool, naive, fair, allocUnsafe].map((contender) =>
          prepared(contender, liveSet(contender, length, touched), sizes),
        );
        report(label, await measure(cases, effort, (what) => progress(`${label}: ${what}`)));
      }
    }
  }
}
