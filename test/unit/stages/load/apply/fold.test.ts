import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Breather } from '../../../../../lib/breather.ts';
import { PayloadReader } from '../../../../../model/payload.ts';
import { type RowImage, TableFold } from '../../../../../stages/load/apply/fold.ts';
import type { TablePlan } from '../../../../../stages/load/apply/table-plan.ts';
import { movesUniqueValues } from '../../../../../stages/load/apply/unique-moves.ts';
import {
  type Change,
  insert,
  int,
  payloadOf,
  planOf,
  type Row,
  remove,
  shapeOf,
  targetColumn,
  targetOf,
  unique,
  update,
  type Value,
  varchar,
} from './paper.ts';

function foldOf(plan: TablePlan, changes: readonly Change[]): { fold: TableFold; payload: Buffer } {
  const payload = payloadOf(plan.shape, changes);
  const fold = new TableFold(payload, 64);
  const reader = new PayloadReader(payload);
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record !== 'rows' || fold.reason !== null) continue;
    const before = reader.before === null ? -1 : fold.layout(plan, reader.before);
    const after = reader.after === null ? -1 : fold.layout(plan, reader.after);
    fold.feed(reader.op, before, after, reader.dataStart, reader.dataEnd, reader.rows);
  }
  return { fold, payload };
}

/** What an image says, `undefined` where it says nothing. */
function valuesOf(plan: TablePlan, payload: Buffer, image: RowImage): (Value | undefined)[] {
  return plan.shape.columns.map((column, i) => {
    const [offset, length] = [image.offsets[i] ?? 0, image.lengths[i] ?? -2];
    if (length === -2) return undefined;
    if (length === -1) return null;
    return column.type === 3
      ? payload.readInt32LE(offset)
      : payload.toString('utf8', offset, offset + length);
  });
}

function summary(plan: TablePlan, changes: readonly Change[]) {
  const { fold, payload } = foldOf(plan, changes);
  if (fold.reason !== null) return fold.reason;
  return Array.from({ length: fold.size }, (_, entry) => {
    const change = fold.change(entry);
    const image = change === 'insert' || change === 'update' ? fold.finalImage(entry) : fold.keyImage(entry);
    return [change, ...valuesOf(plan, payload, image)];
  });
}

const shape = shapeOf([int('id'), int('a'), varchar('b')], [0]);
const plan = planOf(shape);

describe('the net change of a key', () => {
  const cases: readonly (readonly [string, readonly Change[], unknown])[] = [
    ['of one insert', [insert(1, 2, 'x')], [['insert', 1, 2, 'x']]],
    ['of insert and update', [insert(1, 2, 'x'), update([1, 2, 'x'], [1, 3, 'y'])], [['insert', 1, 3, 'y']]],
    ['of insert and delete', [insert(1, 2, 'x'), remove(1, 2, 'x')], [['nothing', 1, 2, 'x']]],
    [
      'of two updates',
      [update([1, 1, 'x'], [1, 2, 'x']), update([1, 2, 'x'], [1, 3, 'x'])],
      [['update', 1, 3, 'x']],
    ],
    ['of update and delete', [update([1, 1, 'x'], [1, 2, 'x']), remove(1, 2, 'x')], [['delete', 1, 1, 'x']]],
    ['of delete and insert', [remove(1, 1, 'x'), insert(1, 9, 'n')], [['update', 1, 9, 'n']]],
    [
      'of delete, insert and delete',
      [remove(1, 1, 'x'), insert(1, 9, 'n'), remove(1, 9, 'n')],
      [['delete', 1, 1, 'x']],
    ],
    [
      'of a key that changes',
      [update([1, 1, 'x'], [2, 1, 'x'])],
      [
        ['delete', 1, 1, 'x'],
        ['insert', 2, 1, 'x'],
      ],
    ],
    [
      'of two keys that change places',
      [update([1, 1, 'x'], [3, 1, 'x']), update([2, 2, 'y'], [1, 2, 'y']), update([3, 1, 'x'], [2, 1, 'x'])],
      [
        ['update', 1, 2, 'y'],
        ['nothing', 3, 1, 'x'],
        ['update', 2, 1, 'x'],
      ],
    ],
    ['of NULL values', [insert(1, null, null)], [['insert', 1, null, null]]],
  ];
  it.each(cases)('%s', (_, changes, expected) => {
    expect(summary(plan, changes)).toEqual(expected);
  });

  it('is put together from partial images', () => {
    const partial = (id: number, after: Row, columns: readonly number[]): Change => ({
      op: 'update',
      before: [id],
      beforeColumns: [0],
      after,
      afterColumns: columns,
    });
    expect(
      summary(plan, [
        partial(1, [0, 5], [1]),
        partial(1, [0, 6], [1]),
        partial(2, [0, 7], [1]),
        partial(2, [0, 0, 'z'], [2]),
        insert(3, 1, 'i'),
        partial(3, [0, 0, 'j'], [2]),
      ]),
    ).toEqual([
      ['update', undefined, 6, undefined],
      ['update', undefined, 7, 'z'],
      ['insert', 3, 1, 'j'],
    ]);
  });
});

describe('changes are not folded', () => {
  const cases: readonly (readonly [string, TablePlan, readonly Change[], string])[] = [
    [
      'when a row is inserted twice',
      plan,
      [insert(1, 1, 'x'), insert(1, 2, 'x')],
      'a row is inserted that is there',
    ],
    [
      'when a row is deleted twice',
      plan,
      [remove(1, 1, 'x'), remove(1, 1, 'x')],
      'a row is deleted that is not there',
    ],
    [
      'when a row that is gone is changed',
      plan,
      [remove(1, 1, 'x'), update([1, 1, 'x'], [1, 2, 'x'])],
      'a row is changed that is not there',
    ],
    [
      'when a key changes into one that is there',
      plan,
      [update([2, 1, 'x'], [2, 2, 'x']), update([1, 1, 'x'], [2, 2, 'x'])],
      'a row is inserted that is there',
    ],
    ['when a key is NULL', plan, [insert(null, 1, 'x')], 'a key is NULL or not in the image'],
    [
      'without a key',
      planOf(shapeOf([int('a')], [])),
      [insert(1)],
      'the target has no key that the rows fill',
    ],
    [
      'when a key changes and the rest of the row is not there',
      plan,
      [{ op: 'update', before: [1], beforeColumns: [0], after: [2], afterColumns: [0] }],
      'a key changes, and the row must stay the same row',
    ],
    [
      'when a key changes in a table that others refer to',
      planOf(shape, { referenced: true, foreignKeyGroup: 0 }),
      [update([1, 1, 'x'], [2, 1, 'x'])],
      'a key changes, and the row must stay the same row',
    ],
    [
      'when a row of a table that others refer to goes and comes again',
      planOf(shape, { referenced: true, foreignKeyGroup: 0 }),
      [remove(1, 1, 'x'), insert(1, 1, 'x')],
      'a row is deleted and inserted again, and must not stay the same row',
    ],
    [
      'when a row of a table with columns of its own goes and comes again',
      planOf(shape, { columns: [...targetOf(shape).columns, targetColumn('own')] }),
      [remove(1, 1, 'x'), insert(1, 1, 'x')],
      'a row is deleted and inserted again, and must not stay the same row',
    ],
    [
      'when a part of a key changes and the rest is not in the image',
      planOf(shapeOf([int('a'), int('b'), int('v')], [0, 1])),
      [{ op: 'update', before: [1, 2], beforeColumns: [0, 1], after: [0, 3], afterColumns: [1] }],
      'a part of a key changes and the rest is not in the image',
    ],
  ];
  it.each(cases)('%s', (_, own, changes, reason) => {
    expect(summary(own, changes)).toBe(reason);
  });
});

/** A table as a server holds it: rows found by an equality of its own, unique keys enforced. */
class Model {
  rows: Row[] = [];
  readonly #same: (a: Value, b: Value) => boolean;
  readonly #uniques: readonly number[];

  constructor(same: (a: Value, b: Value) => boolean, uniques: readonly number[]) {
    this.#same = same;
    this.#uniques = uniques;
  }

  find(key: Value): number {
    return this.rows.findIndex((row) => this.#same(row[0] ?? null, key));
  }

  /** False where the server would refuse. */
  put(at: number, row: Row): boolean {
    const clash = this.rows.some(
      (other, i) =>
        i !== at &&
        this.#uniques.some((column) => {
          const [a, b] = [other[column] ?? null, row[column] ?? null];
          return a !== null && b !== null && this.#same(a, b);
        }),
    );
    if (clash) return false;
    if (at < 0) this.rows.push(row);
    else this.rows[at] = row;
    return true;
  }

  sorted(): string[] {
    return this.rows.map((row) => JSON.stringify(row)).sort();
  }
}

const lower = (value: Value) => (typeof value === 'string' ? value.toLowerCase() : value);
const byCase = (a: Value, b: Value) => lower(a) === lower(b);

/** Random changes that a source could log, given what it holds; the log is made by the source doing them. */
function historyOf(choices: readonly (readonly [number, string, string, number])[], start: Model): Change[] {
  const log: Change[] = [];
  for (const [kind, key, otherKey, u] of choices) {
    const at = start.find(key);
    const old = start.rows[at];
    if (kind === 0) {
      if (at < 0 && start.put(-1, [key, u])) log.push(insert(key, u));
    } else if (old !== undefined && kind === 1) {
      start.rows.splice(at, 1);
      log.push(remove(...old));
    } else if (old !== undefined) {
      const fresh: Row = [kind === 2 ? (old[0] ?? null) : otherKey, u];
      if (start.put(at, fresh)) log.push(update(old, fresh));
    }
  }
  return log;
}

/** The statements of a fold, in the order of `batch-statements.ts`; a string where the server refuses or a count is wrong. */
async function applyFold(own: TablePlan, changes: readonly Change[], model: Model): Promise<string | null> {
  const { fold, payload } = foldOf(own, changes);
  if (fold.reason !== null) return `not folded: ${fold.reason}`;
  if (await movesUniqueValues(fold, new Breather(), async () => {})) return 'not folded: unique values move';
  const each = (kind: string, act: (row: Row) => string | null): string | null => {
    for (let entry = 0; entry < fold.size; entry++) {
      if (fold.change(entry) !== kind) continue;
      const image = kind === 'insert' || kind === 'update' ? fold.finalImage(entry) : fold.keyImage(entry);
      const problem = act(valuesOf(own, payload, image).map((value) => value ?? null));
      if (problem !== null) return problem;
    }
    return null;
  };
  return (
    each('delete', (row) => {
      const at = model.find(row[0] ?? null);
      if (at < 0) return 'a row to delete is missing';
      model.rows.splice(at, 1);
      return null;
    }) ??
    each('nothing', (row) =>
      model.rows.some((other) => other[0] === row[0]) ? 'a row is there that should not be' : null,
    ) ??
    each('update', (row) => {
      const at = model.find(row[0] ?? null);
      if (at < 0) return 'a row to update is missing';
      return model.put(at, row) ? null : 'an update is refused';
    }) ??
    each('insert', (row) => (model.put(-1, row) ? null : 'an insert is refused'))
  );
}

const keys = fc.constantFrom('a', 'A', 'b', 'B', 'c', 'd');
const choice = fc.tuple(fc.integer({ min: 0, max: 4 }), keys, keys, fc.integer({ min: 0, max: 5 }));
const history = fc.array(choice, { maxLength: 60 });
const startRows = fc.uniqueArray(fc.tuple(keys, fc.integer({ min: 10, max: 16 })), {
  selector: ([key]) => key.toLowerCase(),
  maxLength: 4,
});

describe('a folded batch', () => {
  const keyed = shapeOf([varchar('k'), int('u')], [0]);

  for (const [name, same] of [
    ['bytes', (a: Value, b: Value) => a === b],
    ['letters without case', byCase],
  ] as const)
    it(`leaves the table as one by one, where keys are equal as ${name}`, () => {
      const own = planOf(keyed);
      return fc.assert(
        fc.asyncProperty(startRows, history, async (rows, choices) => {
          const source = new Model(same, [0]);
          for (const row of rows) source.put(-1, row);
          const target = new Model(same, [0]);
          target.rows = [...source.rows];
          const log = historyOf(choices, source);
          expect(await applyFold(own, log, target)).toBeNull();
          expect(target.sorted()).toEqual(source.sorted());
        }),
        { numRuns: 500 },
      );
    });

  it('with a secondary unique key is the same too, or says that it is not to be folded', async () => {
    const own = planOf(keyed, {
      uniqueKeys: [unique('PRIMARY', ['k']), unique('u', ['u'], { nullable: true })],
    });
    let folded = 0;
    await fc.assert(
      fc.asyncProperty(startRows, fc.array(choice, { maxLength: 12 }), async (rows, choices) => {
        const same = (a: Value, b: Value) => a === b;
        const source = new Model(same, [0, 1]);
        for (const row of rows) source.put(-1, row);
        const target = new Model(same, [0, 1]);
        target.rows = [...source.rows];
        const log = historyOf(choices, source);
        const problem = await applyFold(own, log, target);
        if (problem?.startsWith('not folded') === true) return;
        folded += 1;
        expect(problem).toBeNull();
        expect(target.sorted()).toEqual(source.sorted());
      }),
      { numRuns: 800 },
    );
    expect(folded).toBeGreaterThan(100);
  });

  it('notices every row that the target has too many or too few', () => {
    const own = planOf(keyed);
    return fc.assert(
      fc.asyncProperty(startRows, history, keys, async (rows, choices, key) => {
        const same = (a: Value, b: Value) => a === b;
        const source = new Model(same, [0]);
        for (const row of rows) source.put(-1, row);
        const target = new Model(same, [0]);
        target.rows = [...source.rows];
        const log = historyOf(choices, source);
        const touched = log.some(({ before, after }) => before?.[0] === key || after?.[0] === key);
        const at = target.find(key);
        if (at < 0) target.put(-1, [key, 99]);
        else target.rows.splice(at, 1);
        expect((await applyFold(own, log, target)) !== null).toBe(touched);
      }),
      { numRuns: 500 },
    );
  });
});
