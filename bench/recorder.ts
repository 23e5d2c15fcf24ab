/** One run of a benchmark, told as it goes, and kept as a file of record. */
import { loadavg } from 'node:os';
import {
  machineLine,
  type Result,
  type ResultFile,
  resultLine,
  rounded,
  type Series,
  type Timing,
  writeResults,
} from './measurement.ts';

export type Say = (text: string) => void;

export interface RecorderOptions {
  readonly bench: string;
  readonly question: string;
  readonly seed: number;
  /** Settings of the servers. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Name of the file of record; null writes none. */
  readonly file: string | null;
}

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #startedMs = performance.now();
  readonly #loadBefore = loadavg()[0] ?? 0;
  readonly #results: Result[] = [];
  readonly #timings: Timing[] = [];
  readonly #series: Series[] = [];
  readonly #versions: Record<string, string> = {};
  readonly #facts: Record<string, string | number> = {};
  readonly #settings: Record<string, string>;
  #config = '';

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#settings = Object.fromEntries(
      Object.entries(options.settings).map(([name, value]) => [name, String(value)]),
    );
    const { at, cpu, cores, memoryGb, kernel, node, commit, loadBefore } = machineLine(this.#loadBefore);
    this.say(`${options.bench}: ${options.question}`);
    this.say(
      `seed ${options.seed}; ${cores} cores (${cpu}), ${memoryGb} GiB, Linux ${kernel}, node ${node}, commit ${commit}, ${at}, load ${loadBefore}`,
    );
    this.say(
      `servers: ${Object.entries(this.#settings)
        .map(([name, value]) => `${name}=${value}`)
        .join(' ')}`,
    );
  }

  readonly say: Say = (text) => {
    const at = ((performance.now() - this.#startedMs) / 1000).toFixed(1).padStart(6);
    process.stdout.write(`${at} s  ${text}\n`);
  };

  version(server: string, version: string): void {
    if (this.#versions[server] === undefined) this.say(`${server} ${version}`);
    this.#versions[server] = version;
  }

  /** The effective configuration, as `holt config show` gives it. */
  config(text: string): void {
    if (this.#config !== '') return;
    this.#config = text;
    for (const line of text.trimEnd().split('\n')) this.say(`config: ${line}`);
  }

  fact(name: string, value: string | number): void {
    this.#facts[name] = value;
    this.say(`${name}: ${value}`);
  }

  timing(one: Timing): void {
    this.#timings.push(one);
    this.say(
      `${one.name}: ${one.rows_per_s} rows/s (${one.rows} rows in ${one.seconds} s; CPU s: target ${one.targetCpuSeconds}, source ${one.sourceCpuSeconds}, between ${one.nodesCpuSeconds ?? '–'}; batches ${one.batches ?? '–'}; load ${one.load}), equal`,
    );
  }

  get timings(): readonly Timing[] {
    return this.#timings;
  }

  series(one: Series): void {
    this.#series.push({
      ...one,
      points: one.points.map(([x, y]): [number, number] => [rounded(x, 3), rounded(y, 3)]),
    });
  }

  /** Ends a measurement. What came before it is in the file already should a later measurement fail. */
  measured(results: readonly Result[]): void {
    this.#results.push(...results);
    const { bench, question, seed, file } = this.#options;
    if (file !== null) {
      const record: ResultFile = {
        bench,
        question,
        seed,
        machine: machineLine(this.#loadBefore),
        versions: this.#versions,
        settings: this.#settings,
        config: this.#config,
        facts: this.#facts,
        timings: this.#timings,
        series: this.#series,
        results: this.#results,
      };
      this.say(`written: ${writeResults(file, record)}`);
    }
    for (const one of results) process.stdout.write(resultLine(one));
  }
}
