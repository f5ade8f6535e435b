import parse from 'parse-prometheus-text-format';

/** A scrape in the text format, by the names of the metrics. Throws where it is malformed. */
export class Scraped {
  readonly #families: ReturnType<typeof parse>;

  constructor(text: string) {
    this.#families = parse(text);
  }

  get names(): string[] {
    return this.#families.map(({ name }) => name);
  }

  /** Of each series with these labels. */
  series(
    name: string,
    labels: Readonly<Record<string, string>> = {},
  ): { labels: Record<string, string>; value: number }[] {
    const { metrics = [] } = this.#families.find((family) => family.name === name) ?? {};
    return metrics
      .map(({ labels = {}, value }) => ({ labels, value: Number(value) }))
      .filter((series) => Object.entries(labels).every(([label, value]) => series.labels[label] === value));
  }

  /** Of all series with these labels together; NaN where there are none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const values = this.series(name, labels).map(({ value }) => value);
    return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0);
  }

  /** Counters by series. */
  counters(): Map<string, number> {
    const counters = this.#families.filter(({ type }) => type === 'COUNTER');
    return new Map(
      counters.flatMap(({ name }) =>
        this.series(name).map(({ labels, value }): [string, number] => [`${name} ${JSON.stringify(labels)}`, value]),
      ),
    );
  }
}
