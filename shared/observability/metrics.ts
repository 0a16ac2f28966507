import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { asTidemarkError } from '../errors/as-tidemark-error.ts';
import { METRICS, type LabelsOf, type MetricName, type MetricOf } from './metric-table.ts';

/** Series that a metric may have; a label with unforeseen values must not fill the memory here and at Prometheus. */
const SERIES_MAX = 1_000;

/** The process's metrics, by the names and labels of the table, and nothing else. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #metrics = new Map<MetricName, Gauge | Counter | Histogram>();
  readonly #series = new Map<MetricName, Set<string>>();
  readonly #collectors: (() => void)[] = [];

  constructor({ runtime = true }: { readonly runtime?: boolean } = {}) {
    if (runtime) {
      collectDefaultMetrics({ register: this.#registry });
    }
  }

  set<N extends MetricOf<'gauge'>>(name: N, labels: LabelsOf<N>, value: number): void {
    if (this.#admits(name, labels)) {
      (this.#get(name) as Gauge).set(labels, value);
    }
  }

  add<N extends MetricOf<'counter'>>(name: N, labels: LabelsOf<N>, value = 1): void {
    if (this.#admits(name, labels)) {
      (this.#get(name) as Counter).inc(labels, value);
    }
  }

  observe<N extends MetricOf<'histogram'>>(name: N, labels: LabelsOf<N>, value: number): void {
    if (this.#admits(name, labels)) {
      (this.#get(name) as Histogram).observe(labels, value);
    }
  }

  /** Forgets a series, for example of a node that is no longer there. */
  remove<N extends MetricName>(name: N, labels: LabelsOf<N>): void {
    this.#metrics.get(name)?.remove(labels);
    this.#series.get(name)?.delete(JSON.stringify(labels));
  }

  /** Counts an error by its code; one without a code counts as TM-INTERNAL-001. */
  countError(error: unknown): void {
    this.add('tidemark_errors_total', { code: asTidemarkError(error).code });
  }

  /** Calls back before every reading, for values that are only true now (ages, lags). */
  beforeReading(collector: () => void): void {
    this.#collectors.push(collector);
  }

  /** All of it in Prometheus' text format. */
  async read(): Promise<{ readonly contentType: string; readonly body: string }> {
    for (const collector of this.#collectors) {
      collector();
    }
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #admits(name: MetricName, labels: Readonly<Record<string, string>>): boolean {
    const series = this.#series.get(name) ?? new Set<string>();
    this.#series.set(name, series);
    const key = JSON.stringify(labels);
    if (!series.has(key)) {
      if (series.size >= SERIES_MAX) {
        return false;
      }
      series.add(key);
    }
    return true;
  }

  #get(name: MetricName): Gauge | Counter | Histogram {
    const existing = this.#metrics.get(name);
    if (existing !== undefined) {
      return existing;
    }
    const { type, help, labels, ...rest } = METRICS[name];
    const settings = { name, help, labelNames: [...labels], registers: [this.#registry] };
    const metric =
      type === 'gauge'
        ? new Gauge(settings)
        : type === 'counter'
          ? new Counter(settings)
          : new Histogram({ ...settings, ...('buckets' in rest ? { buckets: [...rest.buckets] } : {}) });
    this.#metrics.set(name, metric);
    return metric;
  }
}
