/** The byte fuzzer: no input crashes, hangs or exhausts the node. */
import { getHeapStatistics } from 'node:v8';
import { HoltError } from '../lib/errors.ts';
import { Random } from '../test/support/random.ts';
import { byteTargets } from './byte-targets.ts';

export interface ByteFuzzOptions {
  readonly seed: number;
  readonly from: number;
  readonly mayGoOn: (inputs: number) => boolean;
  /** Told before each input: whoever watches knows at which one it hangs. */
  readonly onInput?: (index: number) => void;
}

export interface ByteFinding {
  readonly index: number;
  readonly target: string;
  readonly problem: string;
}

export interface ByteFuzzResult {
  readonly inputs: number;
  readonly byTarget: ReadonlyMap<string, { readonly inputs: number; readonly refused: number }>;
  readonly findings: readonly ByteFinding[];
  readonly slowestMs: number;
}

/** An input of some 100 kB has no business taking longer, on however busy a machine. */
const SLOW_MS = 5_000;
/** Nor more memory than this; garbage of the inputs before it is among it. */
const MOST_BYTES = 400 * 1024 * 1024;
const MOST_FINDINGS = 20;

export function byteFuzz(options: ByteFuzzOptions): ByteFuzzResult {
  const targets = byteTargets();
  const byTarget = new Map<string, { inputs: number; refused: number }>();
  const findings: ByteFinding[] = [];
  let slowestMs = 0;
  let index = options.from;
  for (; options.mayGoOn(index - options.from) && findings.length < MOST_FINDINGS; index++) {
    const target = targets[index % targets.length];
    if (target === undefined) break;
    options.onInput?.(index);
    const counts = byTarget.get(target.name) ?? { inputs: 0, refused: 0 };
    byTarget.set(target.name, counts);
    counts.inputs += 1;
    const before = memory();
    const start = performance.now();
    try {
      target.run(new Random(Math.imul(options.seed, 0x9e37_79b1) + index));
    } catch (error) {
      if (error instanceof HoltError) counts.refused += 1;
      else findings.push({ index, target: target.name, problem: problemOf(error) });
    }
    const ms = performance.now() - start;
    slowestMs = Math.max(slowestMs, ms);
    if (ms > SLOW_MS) findings.push({ index, target: target.name, problem: `took ${Math.round(ms)} ms` });
    const grown = memory() - before;
    if (grown > MOST_BYTES)
      findings.push({ index, target: target.name, problem: `took ${grown} bytes of memory` });
  }
  return { inputs: index - options.from, byTarget, findings, slowestMs };
}

/** Buffers that were asked for count, though the system may not have given the pages yet. */
function memory(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

function problemOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
