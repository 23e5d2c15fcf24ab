/** What a run has tried, by type, key shape and operation. A cell that stays at zero is something nobody has looked at. */
import { Random } from '../test/support/random.ts';
import type { FuzzCase, PairName } from './case.ts';
import { familiesOf } from './column-types.ts';
import { DDL_OPERATIONS } from './generate-ddl.ts';
import { isPossible, OPERATIONS } from './generate-statements.ts';
import { shapesOf } from './key-shapes.ts';
import type { CaseResult } from './run-case.ts';

/** What an operation does to a row, for the cells by type and shape. */
const EFFECTS: Readonly<Record<string, readonly string[]>> = {
  insert: ['insert'],
  'insert many': ['insert'],
  'insert bulk': ['insert', 'update'],
  ignore: ['insert'],
  replace: ['insert', 'delete'],
  upsert: ['insert', 'update'],
  update: ['update'],
  'update many': ['update'],
  'update key': ['update'],
  'update unique': ['update'],
  swap: ['update'],
  rotate: ['update'],
  delete: ['delete'],
  'delete many': ['delete'],
  'delete and insert': ['delete', 'insert'],
  'key back and forth': ['update'],
};
const EFFECT_NAMES = ['insert', 'update', 'delete'] as const;

export class Coverage {
  readonly pair: PairName;
  cases = 0;
  statements = 0;
  rows = 0;
  careful = 0;
  inParts = 0;
  shares = 0;
  readonly refused = new Map<number, number>();
  readonly ordered = new Map<string, number>();
  readonly #cells = new Map<string, number>();
  readonly #operations = new Map<string, number>();

  constructor(pair: PairName) {
    this.pair = pair;
  }

  take(one: FuzzCase, result: CaseResult): void {
    this.cases += 1;
    this.statements += result.done.length;
    this.rows += result.applied.rows;
    this.careful += result.applied.careful;
    this.inParts += result.applied.inParts;
    this.shares += result.applied.shares ?? 0;
    for (const [errno, count] of result.refused) add(this.refused, errno, count);
    for (const why of result.applied.ordered.values()) add(this.ordered, why, 1);
    for (const { table: name, op } of result.done) {
      const table = one.tables.find((candidate) => candidate.name === name);
      if (table === undefined) continue;
      add(this.#operations, `${table.shape} × ${op}`, 1);
      for (const effect of EFFECTS[op] ?? [])
        for (const family of new Set(table.columns.map((column) => column.family)))
          add(this.#cells, `${family} × ${table.shape} × ${effect}`, 1);
    }
  }

  /** Cells that a long run must have filled, and that are empty. */
  zeros(): string[] {
    return [
      ...this.#expectedOperations().filter((cell) => !this.#operations.has(cell)),
      ...this.#expectedCells().filter((cell) => !this.#cells.has(cell)),
    ];
  }

  report(): string {
    const tags = this.#tags();
    const families = familiesOf(this.pair);
    const operations = [...OPERATIONS, ...DDL_OPERATIONS];
    const number = (count: number | undefined): string => String(count ?? 0).padStart(5);
    const lines = [
      `${this.pair}: ${this.cases} cases, ${this.statements} statements that changed rows, ${this.rows} row changes applied, ${this.careful} batches went row by row, ${this.inParts} parts${this.shares === 0 ? '' : `, ${this.shares} shares of lanes`}`,
      `  refused by the source: ${[...this.refused].map(([errno, count]) => `${errno} ${count} times`).join(', ') || 'nothing'}`,
      `  written in order: ${[...this.ordered].map(([why, count]) => `${why}: ${count}`).join('; ') || 'nothing'}`,
      `  operations: ${operations.map((op, i) => `${letter(i)} ${op}`).join(', ')}`,
      `  ${'key shape × operation'.padEnd(26)}${operations.map((_, i) => letter(i).padStart(5)).join('')}`,
      ...tags.map(
        (tag, i) =>
          `  ${`${i + 1} ${tag}`.padEnd(26)}${operations.map((op) => number(this.#operations.get(`${tag} × ${op}`))).join('')}`,
      ),
      `  ${'type × shape × effect'.padEnd(26)}${tags.map((_, i) => String(i + 1).padStart(5)).join('')}`,
      ...families.flatMap((family) =>
        EFFECT_NAMES.map(
          (effect) =>
            `  ${`${family} ${effect}`.padEnd(26)}${tags.map((tag) => number(this.#cells.get(`${family} × ${tag} × ${effect}`))).join('')}`,
        ),
      ),
    ];
    return lines.join('\n');
  }

  #tags(): string[] {
    return shapesOf(this.pair).flatMap(({ tags }) => tags);
  }

  #expectedCells(): string[] {
    return familiesOf(this.pair).flatMap((family) =>
      this.#tags().flatMap((tag) => EFFECT_NAMES.map((effect) => `${family} × ${tag} × ${effect}`)),
    );
  }

  #expectedOperations(): string[] {
    const cells = shapesOf(this.pair).flatMap((shape) => {
      const plans = shape.make({
        random: new Random(1),
        pair: this.pair,
        name: 't0',
        other: 't1',
        visit: null,
      });
      return plans.flatMap((plan) =>
        OPERATIONS.filter((op) => isPossible(op, plan)).map((op) => `${plan.spec.shape} × ${op}`),
      );
    });
    return [...new Set(cells)];
  }
}

function letter(index: number): string {
  return String.fromCharCode(97 + index);
}

function add<K>(map: Map<K, number>, key: K, count: number): void {
  map.set(key, (map.get(key) ?? 0) + count);
}
