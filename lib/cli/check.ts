/** One thing that `slabpool doctor` looked at. */
export interface Check {
  readonly id: string;
  /** A `'note'` costs something here, or is missing, and the pool works nevertheless. */
  readonly status: 'ok' | 'note' | 'problem';
  /** What was found. */
  readonly text: string;
  /** What to do about it; empty where there is nothing to do. */
  readonly advice: string;
  /** For programs: byte counts end in `Bytes`. */
  readonly figures: Readonly<Record<string, string | number | boolean | null>>;
}

export function check(
  id: string,
  status: Check['status'],
  text: string,
  { advice = '', figures = {} }: Partial<Pick<Check, 'advice' | 'figures'>> = {},
): Check {
  return { id, status, text, advice, figures };
}
