/**
 * Holt beside its peers on one backlog: rounds in which every side has its turn, each on a fresh copy of the data as it was before
 * the backlog. In the first round the own replica runs at each of its settings; the better one stays in the later rounds.
 */
import type { Backlog } from './backlog.ts';
import { type ApplyMode, type HoltOptions, holtCatchup, holtName, LAYOUTS, type Layout } from './holt-run.ts';
import { type FigureResult, median, type RateResult, rounded } from './measurement.ts';
import { ownReplica, REPLICA_THREADS } from './own-replica.ts';
import type { Recorder } from './recorder.ts';
import { STATEMENT_A_ROW, statementARow } from './statement-a-row.ts';

export const PEERS = ['own-replica', 'statement-a-row'] as const;
export type Peer = (typeof PEERS)[number];

export interface ComparisonOptions {
  readonly bench: string;
  readonly workload: string;
  readonly backlog: Backlog;
  readonly recorder: Recorder;
  readonly layouts: readonly Layout[];
  readonly peers: readonly Peer[];
  readonly rounds: number;
  /** A peer is timed no longer than that in a round. */
  readonly peerLimitMs: number;
  readonly holt: HoltOptions;
  /** The same backlog in mode `parallel`, too, on this layout. */
  readonly parallelToo?: boolean;
}

interface Side {
  readonly layout: Layout;
  readonly mode: ApplyMode;
}

export async function compare(options: ComparisonOptions): Promise<void> {
  const { bench, workload, backlog, recorder, layouts, peers, rounds, peerLimitMs, holt } = options;
  const { flavour } = backlog.options;
  const sides: readonly Side[] = [
    ...layouts.map((layout) => ({ layout, mode: holt.mode })),
    ...(options.parallelToo === true
      ? [{ layout: 'node-per-site' as const, mode: 'parallel' as const }]
      : []),
  ];
  let threads: readonly number[] = REPLICA_THREADS[flavour];
  const replica = new Map<number, number[]>();
  for (let round = 1; round <= rounds; round++) {
    recorder.say(`round ${round} of ${rounds}`);
    if (peers.includes('own-replica')) {
      for (const n of threads) {
        const timing = await ownReplica(backlog, n, peerLimitMs);
        recorder.timing(timing);
        replica.set(n, [...(replica.get(n) ?? []), timing.rows_per_s]);
      }
      const best = [...replica].reduce((one, other) => (median(other[1]) > median(one[1]) ? other : one));
      threads = [best[0]];
    }
    if (peers.includes('statement-a-row')) recorder.timing(await statementARow(backlog, peerLimitMs));
    for (const { layout, mode } of sides)
      await holtCatchup({
        backlog,
        layout,
        pipeline: `${layout}-${mode}-${round}`,
        options: { ...holt, mode },
        recorder,
      });
  }
  const rate = (name: string) =>
    median(recorder.timings.filter((one) => one.name === name).map((one) => one.rows_per_s));
  const rates: Readonly<Record<Peer, number>> = {
    'own-replica': median(replica.get(threads[0] ?? 0) ?? []),
    'statement-a-row': rate(STATEMENT_A_ROW),
  };
  const [best] = threads;
  if (peers.includes('own-replica')) recorder.fact('best setting of the own replica', best ?? 0);
  const results = sides.flatMap(({ layout, mode }): (RateResult | FigureResult)[] => {
    const warm = Math.round(rate(holtName(layout, mode, 'warm')));
    const cold = Math.round(rate(holtName(layout, mode, 'cold')));
    const name = [workload, flavour, layout, mode].join(' ');
    return [
      { bench, metric: `rows_per_s cold, ${name}`, value: cold, unit: 'rows/s' },
      ...(peers.length === 0
        ? [{ bench, metric: `rows_per_s, ${name}`, value: warm, unit: 'rows/s' }]
        : peers.map(
            (peer): RateResult => ({
              bench,
              workload,
              server: flavour,
              layout,
              mode,
              rows_per_s: warm,
              peer,
              peer_rows_per_s: Math.round(rates[peer]),
              ratio: rounded(warm / rates[peer], 2),
            }),
          )),
    ];
  });
  recorder.measured([
    ...results.filter((one) => 'metric' in one),
    ...results.filter((one) => 'ratio' in one),
  ]);
}

export function layoutsOf(text: string | undefined): readonly Layout[] {
  const all = Object.keys(LAYOUTS) as Layout[];
  if (text === undefined) return all;
  const found = all.filter((one) => text.split(',').includes(one));
  if (found.length === 0) throw new Error(`--layout is one of ${all.join(', ')}`);
  return found;
}

export function peersOf(text: string | undefined): readonly Peer[] {
  if (text === undefined) return PEERS;
  return PEERS.filter((one) => text.split(',').includes(one));
}
