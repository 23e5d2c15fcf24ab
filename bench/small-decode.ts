/**
 * A small decode for every test run: seconds, one server, no sysbench. The ratio of CPU time is held against the recorded one, of the
 * best pass of each side: a machine that does other things makes passes slower, never faster. Sides take turns, a process each.
 */
import { Backlog } from './backlog.ts';
import { readingOf, runSide } from './decode.ts';
import type { DecodePass } from './decode-side.ts';
import { type RateResult, rounded } from './measurement.ts';
import type { Say } from './recorder.ts';
import { smallPlan } from './small-catchup.ts';

/** The runtime compiles what runs often, and that takes a while. */
const WARM_PASSES = 10;

export interface SmallDecode {
  readonly rowsPerSecond: number;
  readonly peerRowsPerSecond: number;
  readonly ratio: number;
  /** CPU time of zongji's best pass for one of ours, every value made by both. */
  readonly cpuRatio: number;
}

/** Both sides, checked to make the same values; as often again (`attempts` in all) until the ratio is enough. */
export async function smallDecode(options: {
  readonly enough: number;
  readonly attempts: number;
  readonly say: Say;
}): Promise<SmallDecode> {
  const { enough, attempts, say } = options;
  await using backlog = await Backlog.make({ flavour: 'mariadb', flush: 'relaxed', plan: smallPlan() }, say);
  const reading = await readingOf(backlog, 'mariadb');
  const passes: Record<'holt' | 'zongji', DecodePass[]> = { holt: [], zongji: [] };
  for (let attempt = 1; ; attempt++) {
    const digests: (string | null)[] = [];
    for (const side of ['zongji', 'holt'] as const) {
      const task = { ...reading, side, mode: 'values', warmSeconds: 0, warmPasses: WARM_PASSES } as const;
      const report = await runSide({ ...task, digest: attempt === 1 });
      for (const { rows } of report.passes)
        if (rows !== backlog.rows) throw new Error(`${side} gave ${rows} of ${backlog.rows} row changes`);
      passes[side].push(...report.passes);
      digests.push(report.digest);
    }
    if (digests[0] !== digests[1]) throw new Error('the values differ');
    const best = (side: 'holt' | 'zongji', what: 'seconds' | 'cpuSeconds') =>
      backlog.rows / Math.min(...passes[side].map((one) => one[what]));
    const found: SmallDecode = {
      rowsPerSecond: Math.round(best('holt', 'seconds')),
      peerRowsPerSecond: Math.round(best('zongji', 'seconds')),
      ratio: rounded(best('holt', 'seconds') / best('zongji', 'seconds'), 2),
      cpuRatio: rounded(best('holt', 'cpuSeconds') / best('zongji', 'cpuSeconds'), 2),
    };
    say(
      `small decode: ${found.rowsPerSecond} rows/s, zongji ${found.peerRowsPerSecond} rows/s, ratio ${found.ratio}; of CPU time ${found.cpuRatio}`,
    );
    if (found.cpuRatio >= enough || attempt >= attempts) return found;
  }
}

export function smallDecodeResult({ rowsPerSecond, peerRowsPerSecond, ratio }: SmallDecode): RateResult {
  return {
    bench: 'decode',
    workload: 'skewed',
    server: 'mariadb',
    layout: 'one-node',
    mode: 'values',
    rows_per_s: rowsPerSecond,
    peer: 'zongji',
    peer_rows_per_s: peerRowsPerSecond,
    ratio,
  };
}
