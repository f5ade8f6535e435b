import type { PoolStats } from '../stats/stats.js';

/** Requests by size, ascending: {@link PoolStats.requests}. */
export type Histogram = PoolStats['requests'];

/** Waste says what a table of tiers hands out for the requests of a histogram, and how much of that these ask for. */
export interface Waste {
  readonly requestedBytes: number;
  /** Bytes handed out beyond what was asked for. */
  readonly wastedBytes: number;
  /** The share of what is handed out that is wasted. */
  readonly share: number;
}

/** The waste of one tier. Requests count as their entry's `size`, so that the true waste is this or a little more. */
export interface TierWaste extends Waste {
  readonly capacity: number;
  readonly requests: number;
}

/** The tiers that serve requests, ascending; requests above the largest tier are left out. */
export function wasteByTier(requests: Histogram, tiers: readonly number[]): TierWaste[] {
  const used: TierWaste[] = [];
  let from = 0;
  for (const capacity of tiers) {
    const wanted: Entry[] = [];
    for (; from < requests.length && (requests[from] as Entry).size <= capacity; from++) {
      wanted.push(requests[from] as Entry);
    }
    const count = sum(wanted, (entry) => entry.count);
    if (count === 0) continue;
    const requestedBytes = sum(wanted, (entry) => entry.count * entry.size);
    const wastedBytes = count * capacity - requestedBytes;
    used.push({ capacity, requests: count, requestedBytes, wastedBytes, share: wastedBytes / (count * capacity) });
  }
  return used;
}

export function totalWaste(tiers: readonly Waste[]): Waste {
  const requestedBytes = sum(tiers, (tier) => tier.requestedBytes);
  const wastedBytes = sum(tiers, (tier) => tier.wastedBytes);
  return { requestedBytes, wastedBytes, share: wastedBytes / Math.max(1, requestedBytes + wastedBytes) };
}

/**
 * The table that wastes the fewest bytes on these requests with at most `most` tiers, and among those the shortest. Its last
 * tier is `largest`, which comes on top of `most` where no request needs it: what was pooled stays pooled.
 *
 * Tiers end where entries of the histogram end, since the best table has no reason to end elsewhere. That makes it the
 * division of a sequence into k segments of least cost, by dynamic programming (R. Bellman, CACM 4(6), 1961; for histograms
 * H. V. Jagadish et al., VLDB 1998); it takes entries² x `most` steps.
 */
export function bestTiers(requests: Histogram, most: number, largest: number): number[] {
  const entries = requests.filter(({ size, count }) => count > 0 && size <= largest && size > 0);
  const n = entries.length;
  if (n === 0) return [largest];

  const counts = [0];
  const bytes = [0];
  for (const [i, { size, count }] of entries.entries()) {
    counts.push((counts[i] as number) + count);
    bytes.push((bytes[i] as number) + count * size);
  }
  /** Bytes wasted when one tier serves the entries from `first` up to, not with, `end`. */
  const cost = (first: number, end: number) =>
    ((counts[end] as number) - (counts[first] as number)) * (entries[end - 1] as Entry).size -
    ((bytes[end] as number) - (bytes[first] as number));

  // least[end]: of the entries before `end`, with `k` tiers. cuts[k][end]: where the last of these tiers begins.
  let least = Array.from({ length: n + 1 }, (_, end) => (end === 0 ? 0 : cost(0, end)));
  const cuts: number[][] = [new Array(n + 1).fill(0)];
  for (let k = 1; k < Math.min(most, n) && (least[n] as number) > 0; k++) {
    const with1More = [...least];
    const cut = [...(cuts[k - 1] as number[])];
    for (let end = k + 1; end <= n; end++) {
      for (let first = k; first < end; first++) {
        const wasted = (least[first] as number) + cost(first, end);
        if (wasted < (with1More[end] as number)) {
          with1More[end] = wasted;
          cut[end] = first;
        }
      }
    }
    if (with1More[n] === least[n]) break;
    least = with1More;
    cuts.push(cut);
  }

  const tiers: number[] = [];
  for (let end = n, k = cuts.length - 1; end > 0; k--) {
    tiers.unshift((entries[end - 1] as Entry).size);
    end = (cuts[k] as number[])[end] as number;
  }
  if (tiers.at(-1) !== largest) tiers.push(largest);
  return tiers;
}

type Entry = Histogram[number];

function sum<T>(items: readonly T[], figure: (item: T) => number): number {
  return items.reduce((total, item) => total + figure(item), 0);
}
