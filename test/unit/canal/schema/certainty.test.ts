import { describe, expect, it } from 'vitest';
import { Certainty, type LogPlace } from '../../../../canal/schema/certainty.ts';
import type { TableChange } from '../../../../canal/schema/table-changes.ts';
import type { TableFacts } from '../../../../canal/schema/table-facts.ts';
import { statementOf } from '../../stages/select/item-script.ts';

const at = (offset: number) => ({ file: 'bin.000001', offset });
const place = (offset: number, timestamp: number | null): LogPlace => ({ ...at(offset), timestamp });
const facts = (changedAt: number | null): TableFacts => ({
  columns: [],
  primaryKey: [],
  uniqueKeys: [],
  changedAt,
});
const T = { schema: 'shop', table: 't' };

function certainty(
  options: {
    statements?: readonly (readonly [offset: number, sql: string])[];
    changes?: readonly TableChange[] | null;
    renameIsChange?: boolean;
    /** The log is looked through no further than this. */
    cutAt?: number;
  } = {},
) {
  const scans: number[] = [];
  const one = new Certainty({
    scan: async (from, to, maxBytes) => {
      scans.push(maxBytes);
      const end = options.cutAt ?? to.offset;
      return {
        statements: (options.statements ?? [])
          .filter(([offset]) => offset >= from.offset && offset < end)
          .map(([offset, sql]) => ({ at: at(offset), statement: statementOf(sql) })),
        to: at(end),
        isCut: options.cutAt !== undefined,
      };
    },
    changes: () => options.changes ?? null,
    renameIsChange: options.renameIsChange ?? true,
  });
  return { one, scans };
}

describe('Certainty', () => {
  it('is there at the end of the log, without a look at it', async () => {
    const { one, scans } = certainty();
    expect(await one.holds(T, facts(null), place(100, 50), at(100))).toBe(true);
    expect(scans).toEqual([]);
  });

  it('takes the word of a server whose time of change counts everything', async () => {
    const { one, scans } = certainty();
    expect(await one.holds(T, facts(48), place(10, 50), at(100))).toBe(true);
    expect(scans).toEqual([]);
    // In the same second, or the one before: it may be either side.
    expect(await one.holds(T, facts(49), place(10, 50), at(100))).toBe(true);
    expect(scans).toHaveLength(1);
  });

  it('looks through the log where the time is no witness', async () => {
    const { one } = certainty({ statements: [[50, 'ALTER TABLE t ADD c INT']] });
    expect(await one.holds(T, facts(60), place(10, 50), at(100))).toBe(false);
    expect(await one.holds(T, facts(60), place(60, 55), at(100))).toBe(true);
    expect(await one.holds({ schema: 'shop', table: 'other' }, facts(60), place(10, 50), at(100))).toBe(true);
  });

  it('minds what a statement changes, not what it mentions', async () => {
    const { one } = certainty({ statements: [[50, 'ALTER TABLE u COMMENT "t"']], changes: [] });
    expect(await one.holds(T, facts(60), place(10, 50), at(100))).toBe(true);
    const renamed = certainty({
      statements: [[50, '…']],
      changes: [{ kind: 'rename', name: { schema: 'x', table: 'y' }, to: { schema: 'Shop', table: 'T' } }],
    });
    expect(await renamed.one.holds(T, facts(60), place(10, 50), at(100))).toBe(false);
  });

  it('looks for a RENAME where the time does not count one, as far as the log is not too long', async () => {
    const swapped = certainty({ statements: [[50, 'RENAME TABLE n TO t']], renameIsChange: false });
    expect(await swapped.one.holds(T, facts(10), place(10, 50), at(100))).toBe(false);
    const far = certainty({ renameIsChange: false, cutAt: 20 });
    expect(await far.one.holds(T, facts(10), place(10, 50), at(100))).toBe(true);
    expect(await far.one.holds(T, facts(60), place(10, 50), at(100))).toBe(false);
    // What is cut is not looked at again for each table.
    expect(await far.one.holds({ schema: 'shop', table: 'u' }, facts(60), place(11, 50), at(100))).toBe(
      false,
    );
    expect(far.scans).toEqual([256 * 1024 * 1024]);
  });
});
