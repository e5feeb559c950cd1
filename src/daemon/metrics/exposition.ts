export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  labels?: Labels;
  value: number;
}

/** Upper bounds of Prometheus' own histograms, in seconds. */
export const DEFAULT_BOUNDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** How long something took, counted by bounds; one series for each set of labels that was seen. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, { labels: Labels; counts: number[]; sum: number; count: number }>();

  /** `bounds`: rising. */
  constructor(bounds: readonly number[] = DEFAULT_BOUNDS) {
    this.#bounds = bounds;
  }

  observe(labels: Labels, seconds: number): void {
    const series = this.#of(labels);
    const at = this.#bounds.findIndex((bound) => seconds <= bound);
    if (at >= 0) series.counts[at] = (series.counts[at] ?? 0) + 1;
    series.sum += seconds;
    series.count++;
  }

  /** Shown from the start, with nothing in it. */
  declare(labels: Labels): void {
    this.#of(labels);
  }

  write(into: Exposition, name: string, help: string): void {
    into.head(name, 'histogram', help);
    for (const { labels, counts, sum, count } of this.#series.values()) {
      let below = 0;
      for (const [at, bound] of this.#bounds.entries()) {
        below += counts[at] ?? 0;
        into.sample(`${name}_bucket`, { labels: { ...labels, le: String(bound) }, value: below });
      }
      into.sample(`${name}_bucket`, { labels: { ...labels, le: '+Inf' }, value: count });
      into.sample(`${name}_sum`, { labels, value: sum });
      into.sample(`${name}_count`, { labels, value: count });
    }
  }

  #of(labels: Labels) {
    const key = JSON.stringify(labels);
    const series = this.#series.get(key) ?? { labels, counts: [], sum: 0, count: 0 };
    this.#series.set(key, series);
    return series;
  }
}

/** Prometheus' text format, version 0.0.4. */
export class Exposition {
  #text = '';

  gauge(name: string, help: string, samples: readonly Sample[]): void {
    this.#family(name, 'gauge', help, samples);
  }

  /** `name` ends with `_total`. */
  counter(name: string, help: string, samples: readonly Sample[]): void {
    this.#family(name, 'counter', help, samples);
  }

  head(name: string, type: 'gauge' | 'counter' | 'histogram', help: string): void {
    const line = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
    this.#text += `# HELP ${name} ${line}\n# TYPE ${name} ${type}\n`;
  }

  sample(name: string, { labels = {}, value }: Sample): void {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
    this.#text += `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
  }

  toString(): string {
    return this.#text;
  }

  #family(name: string, type: 'gauge' | 'counter', help: string, samples: readonly Sample[]): void {
    this.head(name, type, help);
    for (const one of samples) this.sample(name, one);
  }
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
