// The sizes that the benchmarks ask for, drawn beforehand: a short repeated list would flatter caches and predictors.

export const DRAWN = 131_072;
export const SEED = 42;

/** mulberry32 (T. Ettinger, public domain): small, and good enough to shuffle with. */
export function random(seed = SEED) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param {(next: () => number) => number} draw */
function drawn(draw) {
  const next = random();
  return Int32Array.from({ length: DRAWN }, () => draw(next));
}

/** @param {number} size */
export const fixed = (size) => drawn(() => size);

/** Log-normal with a sigma of 1 around e^mu. @param {number} mu */
const logNormalAround = (mu) =>
  drawn((next) => {
    const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    return Math.round(Math.min(2 ** 20, Math.max(8, Math.exp(mu + normal))));
  });

/** Netty's AllocPattern (a): median 2 KiB, 95 % below 10 KiB, 99 % below 20 KiB. */
export const logNormal = logNormalAround(7.6);

/** The same around 32 KiB: 95 % below 170 KiB, 99 % below 340 KiB, some of 1 MiB. */
export const logNormalLarge = logNormalAround(Math.log(32 * 1024));

/** Netty's AllocPattern (b): what a WebSocket proxy asks for; share in percent, size in bytes. */
const PROXY = [
  [11.8, () => 15],
  [24.2, () => 256],
  [10.5, (/** @type {() => number} */ next) => 600 + Math.floor(next() * 41)],
  [33.4, () => 1024],
  [3, () => 2048],
  [10.6, () => 16_639],
  [6.5, (/** @type {() => number} */ next) => 1 + Math.floor(next() * 18_432)],
];
export const webSocket = drawn((next) => {
  let left = next() * 100;
  for (const [share, size] of /** @type {[number, (next: () => number) => number][]} */ (PROXY)) {
    left -= share;
    if (left < 0) return size(next);
  }
  return 1024;
});

/** As many between 1 and 2 KiB as between 32 and 64 KiB. */
export const logUniform = drawn((next) => Math.floor(1024 * 64 ** next()));
