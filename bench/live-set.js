import * as contenders from './contenders.js';
import { liveSet, prepared } from './loops.js';
import { measure } from './measure.js';
import { logNormal, webSocket } from './sizes.js';

export const title = "live set (Netty's AllocPattern): release one in shuffled order, acquire another";

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report }) {
  const { slabpool, typescriptCore, naive, fair, typedarray, bufferReuse, thingMalloc } = contenders;
  const { allocUnsafe, allocUnsafeSlow } = contenders;
  const few = [slabpool, naive, fair, allocUnsafe];
  const measured = effort.smoke ? few : [...few, typescriptCore, typedarray, bufferReuse, allocUnsafeSlow];
  for (const [kind, sizes] of /** @type {const} */ ([
    ['log-normal', logNormal],
    ['WebSocket proxy', webSocket],
  ])) {
    for (const length of [128, 1024, 4096, 16_384]) {
      for (const touched of [true, false]) {
        const label = `${length} buffers, ${kind}${touched ? '' : ', untouched'}`;
        // To free one, it looks through a list of all that are out: 0.1 ms where these are 4,096, 0.7 ms where they are 16,384.
        const listed = length > 1024 || effort.smoke ? [] : [thingMalloc];
        const cases = [...measured, ...listed].map((contender) =>
          prepared(contender, liveSet(contender, length, touched), sizes, effort),
        );
        report(label, await measure(cases, effort, (what) => progress(`${label}: ${what}`)));
      }
    }
  }
}
