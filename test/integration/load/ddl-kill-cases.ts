/** Schema changes of which a look at the shape alone often cannot tell whether they ran, and processes that end while they load them. */
import { expect } from 'vitest';
import type { LogPlace } from '../../../stages/load/ddl/ddl.ts';
import type { Database } from '../../support/database.ts';
import { DdlProcess, type DdlStep, type DdlTask, ddlBatch, logEnd, statementsSince } from './ddl-fixture.ts';
import { noSignal, Pipeline, type RaisedReign } from './load-fixture.ts';

export const FAILPOINTS = [
  'ddl:journaled',
  'ddl:executing',
  'ddl:executed',
  'ddl:before-done',
  'ddl:done',
] as const;

export interface DdlCase {
  readonly name: string;
  readonly before?: (schema: string, table: string) => readonly string[];
  readonly steps: (schema: string, table: string) => readonly DdlStep[];
}

const quoted = (schema: string, table: string) => `\`${schema}\`.\`${table}\``;

export const CASES: readonly DdlCase[] = [
  {
    name: 'ALTER',
    steps: (s, t) => [
      { kind: 'alter-table', sql: `ALTER TABLE ${quoted(s, t)} ADD COLUMN extra INT NULL`, tables: [[s, t]] },
    ],
  },
  {
    name: 'TRUNCATE',
    steps: (s, t) => [{ kind: 'truncate', sql: `TRUNCATE TABLE ${quoted(s, t)}`, tables: [[s, t]] }],
  },
  {
    name: 'a RENAME that swaps',
    before: (s, t) => [`CREATE TABLE ${quoted(s, `${t}-b`)} LIKE ${quoted(s, t)}`],
    steps: (s, t) => [
      {
        kind: 'rename-table',
        sql: `RENAME TABLE ${quoted(s, t)} TO ${quoted(s, `${t}-x`)}, ${quoted(s, `${t}-b`)} TO ${quoted(s, t)}, ${quoted(s, `${t}-x`)} TO ${quoted(s, `${t}-b`)}`,
        tables: [
          [s, t],
          [s, `${t}-b`],
          [s, `${t}-x`],
        ],
      },
    ],
  },
  {
    name: 'an index without a name',
    steps: (s, t) => [
      { kind: 'alter-table', sql: `ALTER TABLE ${quoted(s, t)} ADD INDEX (v)`, tables: [[s, t]] },
    ],
  },
  {
    name: 'DROP, then CREATE of the same',
    steps: (s, t) => [
      { kind: 'drop-table', sql: `DROP TABLE ${quoted(s, t)}`, tables: [[s, t]] },
      {
        kind: 'create-table',
        sql: `CREATE TABLE ${quoted(s, t)} (id INT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB`,
        tables: [[s, t]],
      },
    ],
  },
];

export interface Target {
  readonly db: Database;
  readonly schema: string;
}

export class DdlTrial {
  readonly pipeline: Pipeline;
  readonly reign: RaisedReign;
  readonly steps: readonly DdlStep[];
  readonly task: DdlTask;
  readonly #from: LogPlace;

  private constructor(pipeline: Pipeline, reign: RaisedReign, steps: readonly DdlStep[], from: LogPlace) {
    this.pipeline = pipeline;
    this.reign = reign;
    this.steps = steps;
    this.#from = from;
    this.task = {
      endpoint: pipeline.db.endpoint,
      name: pipeline.name,
      table: pipeline.table,
      reign: { epoch: reign.epoch, tenure: reign.tenure },
      steps,
    };
  }

  static async begin(target: Target, one: DdlCase): Promise<DdlTrial> {
    const pipeline = await Pipeline.on(target);
    for (const sql of one.before?.(target.schema, pipeline.name) ?? []) await target.db.query(sql);
    const from = await logEnd(pipeline);
    const reign = await pipeline.reign();
    return new DdlTrial(pipeline, reign, one.steps(target.schema, pipeline.name), from);
  }

  /** Loads the statements that are left, under whatever reign there is then. */
  async finish(): Promise<void> {
    const { pipeline, steps } = this;
    const now = await pipeline.reign();
    const { run } = await pipeline.taken(now);
    for (let seq = Number(now.seq) + 1; seq <= steps.length; seq++) {
      const outcome = await run.load(ddlBatch(pipeline, now, seq, this.step(seq)), noSignal);
      expect(outcome).toMatchObject({ kind: 'applied' });
    }
    await run.close();
  }

  step(seq: number): DdlStep {
    const step = this.steps[seq - 1];
    if (step === undefined) throw new RangeError(`there is no statement ${seq}`);
    return step;
  }

  /** By the target's own log, each statement once and in order. */
  async expectOnce(): Promise<void> {
    const { pipeline, steps } = this;
    const done = await statementsSince(pipeline, this.#from, pipeline.name);
    expect(done.map((sql) => sql.slice(0, 12))).toEqual(steps.map(({ sql }) => sql.slice(0, 12)));
    expect(await pipeline.seq()).toBe(steps.length);
    const open = "SELECT COUNT(*) FROM holt.ddl WHERE pipeline = ? AND state IN ('open', 'ran')";
    expect(await pipeline.db.value(open, [pipeline.name])).toBe('0');
    const without = 'SELECT COUNT(*) FROM holt.ddl WHERE pipeline = ? AND own_gtid IS NULL';
    if (pipeline.db.flavour === 'mysql' && (await pipeline.db.value('SELECT @@global.gtid_mode')) === 'ON')
      expect(await pipeline.db.value(without, [pipeline.name])).toBe('0');
  }
}

export async function killedAndFinished(
  target: Target,
  one: DdlCase,
  failpoint: string,
  nth = 1,
): Promise<string> {
  const trial = await DdlTrial.begin(target, one);
  await using child = new DdlProcess(trial.task, `${failpoint}=kill@${nth}`);
  await child.killed();
  await trial.finish();
  await trial.expectOnce();
  return trial.pipeline.name;
}

/** Frozen with it in hand, and woken after another has taken over. */
export async function frozenAndWoken(target: Target, one: DdlCase, failpoint: string): Promise<void> {
  const trial = await DdlTrial.begin(target, one);
  await using child = new DdlProcess(trial.task, `${failpoint}=stop`);
  await child.frozen();
  await trial.finish();
  expect(await child.wake()).toBe('superseded');
  await trial.expectOnce();
}
