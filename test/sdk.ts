import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { expect, onTestFinished } from 'vitest';

type Attributes = Readonly<Record<string, string | number>>;

/** An SDK whose collections are asked for. */
export class Sdk {
  readonly #reader: PeriodicExportingMetricReader;
  readonly provider: MeterProvider;
  #data: readonly MetricData[] = [];

  constructor(temporality = AggregationTemporality.CUMULATIVE) {
    const exporter = new InMemoryMetricExporter(temporality);
    this.#reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 31 - 1 });
    this.provider = new MeterProvider({ readers: [this.#reader] });
    onTestFinished(() => this.provider.shutdown());
  }

  get meter() {
    return this.provider.getMeter('slabpool');
  }

  async collect(): Promise<void> {
    const { resourceMetrics, errors } = await this.#reader.collect();
    expect(errors).toEqual([]);
    this.#data = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
  }

  metric(name: string): MetricData | undefined {
    return this.#data.find(({ descriptor }) => descriptor.name === `slabpool.${name}`);
  }

  get names(): string[] {
    return this.#data.map(({ descriptor }) => descriptor.name);
  }

  points(name: string, attributes: Attributes = {}): { attributes: Attributes; value: number }[] {
    return ((this.metric(name)?.dataPoints ?? []) as { attributes: Attributes; value: number }[]).filter((point) =>
      Object.entries(attributes).every(([key, value]) => point.attributes[`slabpool.${key}`] === value),
    );
  }

  /** Of all points together; NaN where there are none. */
  sum(name: string, attributes: Attributes = {}): number {
    const points = this.points(name, attributes);
    return points.length === 0 ? Number.NaN : points.reduce((sum, { value }) => sum + value, 0);
  }
}
