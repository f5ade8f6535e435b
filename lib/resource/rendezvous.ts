/** Mixes all bits of an integer of 32 bits (A. Appleby's MurmurHash3, its finalizer). */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** 32 bits of a text: FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo) over its UTF-16 code units. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/** How much a shard wants a key, from 0 to 2^32: the one that wants it most gets it. Both are given by their hashes. */
export function scoreOf(shard: number, key: number): number {
  return mix(Math.imul(shard ^ key, 0x9e3779b1) + shard) >>> 0;
}
