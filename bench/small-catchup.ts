/**
 * A small catching up for every test run: seconds, one server, no sysbench. Its ratio is held against the recorded one
 * (`recorded-ratios.json`). That is a ratio of CPU seconds, of all processes a side needs: on a machine that does other things as well,
 * rows a second of a run this short say more of those.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { Backlog, PARTS, SCHEMA } from './backlog.ts';
import { type HoltOptions, holtCatchup } from './holt-run.ts';
import { type Result, rounded, type Timing } from './measurement.ts';
import { procedureBacklog } from './procedures.ts';
import { statementARow } from './statement-a-row.ts';

const RECORDED = new URL('./recorded-ratios.json', import.meta.url);

/** Name of a guard → ratio. They only rise; lowering one needs a line in CHANGELOG.md with the profile. */
export const recordedRatios = z.record(z.string(), z.number().positive());

export function recordedRatio(name: string): number {
  const ratio = recordedRatios.parse(JSON.parse(readFileSync(RECORDED, 'utf8')))[name];
  if (ratio === undefined) throw new Error(`no ratio is recorded for ${name}`);
  return ratio;
}

const ROWS = 5_000;
const TRANSACTIONS = 12_000;

const PLAIN: HoltOptions = {
  mode: 'default',
  pipeline: {},
  profile: null,
  logLevel: 'info',
  keepLogs: null,
  nodeOptions: '',
};

export interface SmallCatchup {
  readonly rowsPerSecond: number;
  readonly peerRowsPerSecond: number;
  readonly ratio: number;
  /** CPU seconds of the peer for one of ours: target, source and what is between. */
  readonly cpuRatio: number;
}

/** Both sides once, both equal to the source in the end; as often again (`attempts` in all) until the ratio is enough. The best counts. */
export async function smallCatchup(options: {
  readonly enough: number;
  readonly attempts: number;
  readonly say: (text: string) => void;
}): Promise<SmallCatchup> {
  const { enough, attempts, say } = options;
  await using backlog = await Backlog.make({ flavour: 'mariadb', flush: 'relaxed', plan: smallPlan() }, say);
  let best: SmallCatchup | null = null;
  for (let attempt = 1; attempt <= attempts && (best === null || best.cpuRatio < enough); attempt++) {
    const peer = await statementARow(backlog, undefined);
    const timings: Timing[] = [];
    await holtCatchup({
      backlog,
      layout: 'node-per-site',
      pipeline: `small-${attempt}`,
      options: PLAIN,
      recorder: { config: () => {}, timing: (one) => timings.push(one) },
    });
    const warm = timings.at(-1);
    if (warm === undefined) throw new Error('nothing was timed');
    const one: SmallCatchup = {
      rowsPerSecond: warm.rows_per_s,
      peerRowsPerSecond: peer.rows_per_s,
      ratio: rounded(warm.rows_per_s / peer.rows_per_s, 2),
      cpuRatio: rounded(cpuOf(peer) / Math.max(0.01, cpuOf(warm)), 2),
    };
    say(
      `small catchup: ${one.rowsPerSecond} rows/s, a statement a row ${one.peerRowsPerSecond} rows/s, ratio ${one.ratio}; CPU s ${rounded(cpuOf(warm), 2)} and ${rounded(cpuOf(peer), 2)}, ratio ${one.cpuRatio}`,
    );
    if (best === null || one.cpuRatio > best.cpuRatio) best = one;
  }
  if (best === null) throw new Error('no attempt was made');
  return best;
}

const cpuOf = ({ targetCpuSeconds, sourceCpuSeconds, nodesCpuSeconds }: Timing) =>
  targetCpuSeconds + sourceCpuSeconds + (nodesCpuSeconds ?? 0);

export function smallResult({ rowsPerSecond, peerRowsPerSecond, ratio }: SmallCatchup): Result {
  return {
    bench: 'catchup',
    workload: 'skewed',
    server: 'mariadb',
    layout: 'node-per-site',
    mode: 'default',
    rows_per_s: rowsPerSecond,
    peer: 'statement-a-row',
    peer_rows_per_s: peerRowsPerSecond,
    ratio,
  };
}

/** As sysbench's transactions, most of them on a tenth of the rows. */
export function smallPlan() {
  const id = (name: string) =>
    `SET @${name} = 1 + FLOOR(RAND() * IF(RAND() < 0.8, ${ROWS / 10}, ${ROWS})), @c = REPEAT(MD5(RAND()), 3)`;
  return procedureBacklog({
    name: `small: ${TRANSACTIONS} transactions in ${PARTS} parts`,
    tables: ['small'],
    prepare: [
      'CREATE TABLE small (id INT NOT NULL PRIMARY KEY, k INT NOT NULL, c CHAR(120) NOT NULL, pad CHAR(60) NOT NULL, KEY (k)) ENGINE=InnoDB',
      `INSERT INTO small SELECT seq, seq, REPEAT('c', 110), REPEAT('p', 50) FROM seq_1_to_${ROWS}`,
    ],
    body: `START TRANSACTION;
           ${id('a')}; UPDATE ${SCHEMA}.small SET k = k + 1 WHERE id = @a;
           ${id('b')}; UPDATE ${SCHEMA}.small SET c = CONCAT(i, @c) WHERE id = @b;
           ${id('d')}; DELETE FROM ${SCHEMA}.small WHERE id = @d;
           INSERT INTO ${SCHEMA}.small VALUES (@d, i, @c, REPEAT('p', 50));
           COMMIT`,
    times: TRANSACTIONS,
    rowsEach: 4,
    seed: 1,
  });
}
