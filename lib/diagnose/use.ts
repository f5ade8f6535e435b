import { formatBytes, formatCount, formatShare } from '../base/format.js';
import type { PoolStats } from '../stats/stats.js';
import { ENOUGH_ACQUIRES, type Finding, handedOut } from './diagnosis.js';
import { tooFewAcquires } from './findings.js';
import { bestTiers, type Histogram, totalWaste, wasteByTier } from './tier-table.js';

/** One refill per 20 acquires and fewer is noise beside the work that buffers are for. */
const HEALTHY_HIT_RATE = 0.95;
/** A hit rate below which most acquires cost what an allocation costs, and the pool's memory and care come on top. */
const DEBT_HIT_RATE = 0.5;
/** The number of times that memory is handed out, on the average, before keeping it has gained anything. */
const LEAST_TURNOVER = 2;
/** Four steps per doubling waste 10 % of evenly spread sizes, and 20 % at the worst (J. Evans, jemalloc, 2006). */
const TIER_WASTE = 0.15;
/** A tier with less than this share of the bytes handed out is not worth a word. */
const TIER_MATTERS = 0.01;
/** Another table has to save this share of what is handed out, or it is not worth the change. */
const TABLE_GAIN = 0.02;
/** From here on the 99th percentile of requests does not fit into the largest tier. */
const OVERSIZE_NOTE = 0.01;
/** From here on the 95th percentile does not. */
const OVERSIZE_WARNING = 0.05;
/** The largest tier that there can be, and the most tiers besides. */
const LARGEST_TIER = 2 ** 30;
const MOST_TIERS = 127;

/** Judges what the pool is used for: whether keeping memory gains anything. */
export function diagnoseUse(stats: PoolStats): Finding[] {
  const judged = stats.acquires >= ENOUGH_ACQUIRES;
  return [
    ...(judged ? [hitRate(stats), ...reuse(stats), ...tiers(stats), ...oversize(stats)] : [tooFewAcquires(stats)]),
    ...refused(stats),
  ];
}

function hitRate({ acquires, hitRate, misses, oversize }: PoolStats): Finding {
  const text = `hit rate ${formatShare(hitRate)} of ${formatCount(acquires)} acquires`;
  const figures = { hitRate, acquires, misses, oversize: oversize.acquires };
  if (hitRate >= HEALTHY_HIT_RATE) return { id: 'hit-rate', severity: 'ok', text, advice: '', figures };
  const debt = hitRate < DEBT_HIT_RATE;
  const way = oversize.acquires > misses ? 'pool what is oversize' : 'hold leases for a shorter time, or prewarm()';
  return {
    id: 'hit-rate',
    severity: debt ? 'debt' : 'note',
    text: `${text} (${formatCount(misses)} found no block with memory, ${formatCount(oversize.acquires)} were oversize)`,
    advice: debt
      ? `Remove the pool, or ${way}: plain buffers cost the same, and nobody has to release them.`
      : `Healthy is above ${formatShare(HEALTHY_HIT_RATE)}: ${way}.`,
    figures,
  };
}

/** The hit rate counts the whole of a fresh batch but one as hits, so it is high as well where nothing ever comes back. */
function reuse(stats: PoolStats): Finding[] {
  const { residentBytes, cachedBytes, drops } = stats;
  const madeBytes = residentBytes + drops.decayBytes + drops.trimBytes + drops.exhaustedBytes + drops.pressureBytes;
  const handedOutBytes = handedOut(stats);
  if (handedOutBytes >= LEAST_TURNOVER * madeBytes) return [];
  // Most of it is there to be handed out again: after prewarm(), or the first burst.
  if (cachedBytes > madeBytes / 2) return [];
  const turnover = handedOutBytes / madeBytes;
  return [
    {
      id: 'reuse',
      severity: 'warning',
      text: `each byte of its memory was handed out ${formatCount(turnover)} times on the average: buffers hardly come back`,
      advice: 'A pool is for buffers that live shortly: allocate what lives long.',
      figures: { turnover, handedOutBytes, madeBytes },
    },
  ];
}

function tiers({ requests, classes }: PoolStats): Finding[] {
  const table = classes.map(({ capacity }) => capacity);
  const used = wasteByTier(requests, table);
  const before = totalWaste(used);
  const all = before.requestedBytes + before.wastedBytes;
  const wasteful = used.filter(
    (tier) => tier.share > TIER_WASTE && tier.requestedBytes + tier.wastedBytes > TIER_MATTERS * all,
  );
  if (wasteful.length === 0) return [];
  const better = bestTiers(requests, Math.min(used.length, MOST_TIERS), table.at(-1) as number);
  const after = totalWaste(wasteByTier(requests, better));
  const gains = before.share - after.share >= TABLE_GAIN;
  const list = wasteful.map(({ capacity, share }) => `${formatBytes(capacity)} (${formatShare(share)})`).join(', ');
  return [
    {
      id: 'tiers',
      severity: before.share > TIER_WASTE ? 'warning' : 'note',
      text: `tiers that waste more than ${formatShare(TIER_WASTE)} of what they hand out: ${list}; all tiers ${formatShare(before.share)}`,
      advice: gains
        ? `tiers: [${better.join(', ')}] would waste ${formatShare(after.share)} on the same requests.`
        : 'No other table of as many tiers wastes much less on the same requests.',
      figures: {
        wasteShare: before.share,
        wastedBytes: before.wastedBytes,
        wasteful: wasteful.map(({ capacity }) => capacity),
        betterTiers: better,
        betterWasteShare: after.share,
        betterWastedBytes: after.wastedBytes,
      },
    },
  ];
}

function oversize({ acquires, oversize, requests, classes, maxBytes }: PoolStats): Finding[] {
  const share = oversize.acquires / acquires;
  if (share <= OVERSIZE_NOTE) return [];
  const largest = classes.at(-1)?.capacity ?? 0;
  const most = Math.min(LARGEST_TIER, maxBytes);
  const p95 = percentile(requests, 0.95);
  const p99 = percentile(requests, 0.99);
  const ways = [
    ...(p95 > largest && p95 <= most ? [`of ${p95} bytes would hold 95 % of the requests`] : []),
    ...(p99 > Math.max(p95, largest) && p99 <= most ? [`of ${p99} bytes would hold 99 % of the requests`] : []),
  ];
  return [
    {
      id: 'oversize',
      severity: share > OVERSIZE_WARNING ? 'warning' : 'note',
      text: `${formatShare(share)} of the acquires are larger than the largest tier of ${formatBytes(largest)}, and allocate`,
      advice:
        ways.length > 0
          ? `A largest tier (maxPooledSize) ${ways.join(', one ')}.`
          : `A tier of this pool may have up to ${formatBytes(most)}: pool them below that, or take plain buffers for them.`,
      figures: { oversizeShare: share, largestTierBytes: largest, p95Bytes: p95, p99Bytes: p99 },
    },
  ];
}

function refused({ oversize }: PoolStats): Finding[] {
  if (oversize.refused === 0) return [];
  return [
    {
      id: 'oversize-refused',
      severity: 'warning',
      text: `${formatCount(oversize.refused)} requests above the largest tier were refused: maxOversizeBytes is ${formatBytes(oversize.maxBytes)}`,
      advice: 'Raise maxOversizeBytes, or refuse such requests before they reach the pool.',
      figures: { refused: oversize.refused, maxOversizeBytes: oversize.maxBytes },
    },
  ];
}

/** The size of a histogram's entry that this share of requests does not exceed; 0 without requests. */
function percentile(requests: Histogram, share: number): number {
  const total = requests.reduce((sum, { count }) => sum + count, 0);
  let upTo = 0;
  for (const { size, count } of requests) {
    upTo += count;
    if (count > 0 && upTo >= share * total) return size;
  }
  return 0;
}
