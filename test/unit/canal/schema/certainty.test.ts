import { describe, expect, it } from 'vitest';
import { Certainty, LOOKED_THROUGH_BYTES, type LogPlace } from '../../../../canal/schema/certainty.ts';
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

const HOUR = 3600;

function certainty(
  options: {
    statements?: readonly (readonly [offset: number, sql: string])[];
    changes?: readonly TableChange[] | null;
    timeIsWitness?: boolean;
    /** So much of the log is looked through at once. */
    most?: number;
  } = {},
) {
  const scans: string[] = [];
  const one = new Certainty({
    scan: async (from, to, maxBytes) => {
      expect(maxBytes).toBe(LOOKED_THROUGH_BYTES);
      const end = Math.min(to.offset, from.offset + (options.most ?? Number.POSITIVE_INFINITY));
      scans.push(`${from.offset}-${end}`);
      return {
        statements: (options.statements ?? [])
          .filter(([offset]) => offset >= from.offset && offset < end)
          .map(([offset, sql]) => ({ at: at(offset), statement: statementOf(sql) })),
        to: at(end),
        isCut: end < to.offset,
      };
    },
    changes: () => options.changes ?? null,
    timeIsWitness: options.timeIsWitness ?? true,
  });
  return { one, scans };
}

describe('Certainty', () => {
  it('is there at the end of the log, without a look at it', async () => {
    const { one, scans } = certainty();
    expect(await one.doubt(T, facts(null), place(100, 50), at(100))).toBeNull();
    expect(scans).toEqual([]);
  });

  it('takes the word of a server whose time of change counts everything', async () => {
    const { one, scans } = certainty({ statements: [[50, 'ALTER TABLE t ADD c INT']] });
    expect(await one.doubt(T, facts(40), place(10, 50 + HOUR), at(100))).toBeNull();
    expect(scans).toEqual([]);
  });

  it('does not take it where the place’s time may be of another site’s clock', async () => {
    const { one, scans } = certainty({ statements: [[50, 'ALTER TABLE t ADD c INT']] });
    // By this server's clock, the place is of the second 5, and the table was altered at 40.
    expect(await one.doubt(T, facts(40), place(10, 60), at(100))).toBe('changed');
    expect(scans).toHaveLength(1);
  });

  it('does not take the word of a server that writes the session’s time for the time of a change', async () => {
    const { one } = certainty({ statements: [[50, 'ALTER TABLE t ADD c INT']], timeIsWitness: false });
    expect(await one.doubt(T, facts(10), place(10, 50 + HOUR), at(100))).toBe('changed');
    const far = certainty({ timeIsWitness: false, most: 10 });
    expect(await far.one.doubt(T, facts(10), place(10, 50 + HOUR), at(100))).toBe('too-far');
  });

  it('looks through the log where the time is no witness', async () => {
    const { one } = certainty({ statements: [[50, 'ALTER TABLE t ADD c INT']] });
    expect(await one.doubt(T, facts(60), place(10, 50), at(100))).toBe('changed');
    expect(await one.doubt(T, facts(60), place(60, 55), at(100))).toBeNull();
    expect(await one.doubt({ schema: 'shop', table: 'other' }, facts(60), place(10, 50), at(100))).toBeNull();
  });

  it('minds what a statement changes, not what it mentions', async () => {
    const { one } = certainty({ statements: [[50, 'ALTER TABLE u COMMENT "t"']], changes: [] });
    expect(await one.doubt(T, facts(60), place(10, 50), at(100))).toBeNull();
    const renamed = certainty({
      statements: [[50, '…']],
      changes: [{ kind: 'rename', name: { schema: 'x', table: 'y' }, to: { schema: 'Shop', table: 'T' } }],
    });
    expect(await renamed.one.doubt(T, facts(60), place(10, 50), at(100))).toBe('changed');
  });

  it('reads on behind what it has read', async () => {
    const { one, scans } = certainty({ statements: [[150, 'ALTER TABLE t ADD c INT']] });
    expect(await one.doubt(T, facts(60), place(10, 50), at(100))).toBeNull();
    expect(await one.doubt(T, facts(60), place(20, 50), at(200))).toBe('changed');
    expect(await one.doubt(T, facts(60), place(30, 50), at(200))).toBe('changed');
    expect(await one.doubt(T, facts(60), place(160, 50), at(200))).toBeNull();
    expect(scans).toEqual(['10-100', '100-200']);
  });

  it('does not look again for each table at what is too much, but from beyond it', async () => {
    const { one, scans } = certainty({ most: 20 });
    const other = { schema: 'shop', table: 'u' };
    expect(await one.doubt(T, facts(60), place(10, 50), at(100))).toBe('too-far');
    expect(await one.doubt(other, facts(60), place(15, 50), at(100))).toBe('too-far');
    expect(await one.doubt(T, facts(60), place(15, 50), at(25))).toBeNull();
    expect(scans).toEqual(['10-30']);
    expect(await one.doubt(T, facts(60), place(85, 50), at(100))).toBeNull();
    expect(scans).toEqual(['10-30', '85-100']);
  });
});
