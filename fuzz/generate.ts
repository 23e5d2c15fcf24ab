/** Makes case number `index` of a seed for a pair of servers: a function of these three and nothing else. */
import { Random } from '../test/support/random.ts';
import type { FuzzCase, PairName, Statement, Step, TableSpec } from './case.ts';
import { PAIRS } from './case.ts';
import { ddlStep } from './generate-ddl.ts';
import { isPossible, OPERATIONS, statementsOf } from './generate-statements.ts';
import { shapesOf, type TablePlan } from './key-shapes.ts';

type RowImage = 'FULL' | 'MINIMAL' | 'NOBLOB';

export interface GenerateOptions {
  readonly seed: number;
  readonly index: number;
  readonly pair: PairName;
}

/** 32 bits out of whatever names a case (FNV-1a, then MurmurHash3's final mix). */
function seedOf(...parts: readonly (string | number)[]): number {
  let hash = 0x811c9dc5;
  for (const char of parts.join('\0')) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export function generateCase({ seed, index, pair }: GenerateOptions): FuzzCase {
  const random = new Random(seedOf(pair, seed, index));
  const shapes = shapesOf(pair);
  const plans: TablePlan[] = [];
  const wanted = random.int(1, 3);
  const visit = Math.floor((index + seed) / shapes.length);
  // Shapes take turns, so that none is left out; chance decides the rest.
  for (let i = 0; plans.length < wanted; i++) {
    const shape = i === 0 ? shapes[(index + seed) % shapes.length] : random.pick(shapes);
    if (shape === undefined) break;
    const turn = i === 0 ? visit : null;
    plans.push(
      ...shape.make({ random, pair, name: `t${plans.length}`, other: `t${plans.length + 1}`, visit: turn }),
    );
  }
  const tables: TableSpec[] = plans.map(({ spec }) => spec);
  const images: readonly RowImage[] = random.int(1, 2) === 1 ? ['FULL'] : ['FULL', 'MINIMAL', 'NOBLOB'];
  // MariaDB logs a REPLACE that leaves columns to their defaults without them, though it changes them: nobody can know.
  const wholeRows = images.length > 1 && PAIRS[pair][0] !== 'mysql';
  return {
    version: 1,
    pair,
    seed,
    index,
    session: sessionOf(random, pair, images),
    tables,
    steps: stepsOf(random, { plans, pair, images, wholeRows, visit }),
    apply: {
      batches: random.pick([[1], [2], [1000], [1, 3, 5], [5, 20], [3, 1000]]),
      maxStatementBytes: random.pick([2_000, 20_000, 1_000_000]),
      detect: random.int(1, 6) === 1,
      rowEvents: random.int(1, 2) === 1,
    },
  };
}

function sessionOf(random: Random, pair: PairName, images: readonly RowImage[]): string[] {
  const [source, target] = PAIRS[pair];
  const session = [
    `SET SESSION sql_mode = '${random.pick(['ALLOW_INVALID_DATES', 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'])}'`,
    `SET SESSION time_zone = '${random.pick(['+00:00', '+00:00', '+05:45', '-11:00'])}'`,
    `SET SESSION binlog_row_image = '${random.pick(images)}'`,
  ];
  if (random.int(1, 8) === 1) session.push('SET SESSION foreign_key_checks = 0');
  if (source === 'mysql') {
    if (target === 'mysql' && random.int(1, 3) === 1)
      session.push("SET SESSION binlog_row_value_options = 'PARTIAL_JSON'");
    if (random.int(1, 4) === 1) session.push('SET SESSION binlog_transaction_compression = ON');
    session.push(`SET GLOBAL binlog_row_metadata = '${random.pick(['MINIMAL', 'FULL'])}'`);
  }
  if (source === 'mariadb')
    session.push(
      `SET GLOBAL binlog_row_metadata = '${random.pick(['NO_LOG', 'MINIMAL', 'FULL'])}'`,
      `SET GLOBAL log_bin_compress = ${random.pick(['OFF', 'OFF', 'ON'])}`,
      'SET GLOBAL log_bin_compress_min_len = 10',
    );
  return session;
}

interface StepInput {
  readonly plans: readonly TablePlan[];
  readonly pair: PairName;
  readonly images: readonly RowImage[];
  /** Statements that may change a row name all its columns. */
  readonly wholeRows: boolean;
  readonly visit: number;
}

function stepsOf(random: Random, { plans, pair, images, wholeRows, visit }: StepInput): Step[] {
  const steps: Step[] = [];
  const transactions = random.pick([3, 8, 15, 30]);
  const withDdl = random.int(1, 4) === 1;
  // Rows to begin with, so that updates and deletes meet some.
  steps.push({
    kind: 'transaction',
    statements: plans.flatMap((plan) => statementsOf(random, plan, { wholeRows, first: true })),
    end: 'COMMIT',
  });
  // Operations take turns as types do.
  const turn = OPERATIONS[visit % OPERATIONS.length] ?? 'insert';
  steps.push({
    kind: 'transaction',
    statements: plans
      .filter((plan) => isPossible(turn, plan))
      .flatMap((plan) => statementsOf(random, plan, { wholeRows, first: false, op: turn })),
    end: 'COMMIT',
  });
  for (let i = 0; i < transactions; i++) {
    if (withDdl && random.int(1, 6) === 1) {
      const step = ddlStep(random, random.pick(plans), pair, i);
      if (step !== null) steps.push(step);
    }
    if (random.int(1, 25) === 1)
      steps.push({
        kind: 'session',
        sql: `SET SESSION binlog_row_image = '${random.pick(images)}'`,
      });
    steps.push(transactionOf(random, plans, wholeRows));
  }
  // Whatever was drawn: every table has seen an update and a delete.
  steps.push({
    kind: 'transaction',
    statements: plans.flatMap(({ spec }): Statement[] => [
      {
        kind: 'update',
        op: 'update many',
        table: spec.name,
        set: [{ column: 'n', value: 'IFNULL(`n`,0)+1' }],
        where: [],
        order: null,
        limit: null,
      },
      { kind: 'delete', op: 'delete', table: spec.name, set: [], where: [], order: null, limit: 1 },
    ]),
    end: 'COMMIT',
  });
  return steps;
}

function transactionOf(random: Random, plans: readonly TablePlan[], wholeRows: boolean): Step {
  const statements = [];
  for (let n = random.pick([1, 1, 2, 3, 5]); n > 0; n--)
    statements.push(...statementsOf(random, random.pick(plans), { wholeRows, first: false }));
  if (random.int(1, 10) === 1) {
    const at = random.int(0, statements.length);
    const until = random.int(at, statements.length);
    statements.splice(until, 0, { kind: 'plain', op: 'savepoint', sql: 'ROLLBACK TO SAVEPOINT sp' });
    statements.splice(at, 0, { kind: 'plain', op: 'savepoint', sql: 'SAVEPOINT sp' });
  }
  return { kind: 'transaction', statements, end: random.int(1, 25) === 1 ? 'ROLLBACK' : 'COMMIT' };
}
