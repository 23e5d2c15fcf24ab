import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader } from '../../../canal/event/byte-reader.ts';
import { decodePreviousGtids } from '../../../canal/event/previous-gtids.ts';
import { formatMysqlGtid, GtidSet, gtidSetOf, type MysqlGtid } from '../../../model/gtid-set.ts';

const A = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const B = '4e11fa47-71ca-11e1-9e33-c80aa9429562';

const gtid = (uuid: string, number: bigint, tag = ''): MysqlGtid => ({ flavour: 'mysql', uuid, tag, number });

/** Few sources and small numbers, so that intervals touch, overlap and split often. */
const anyGtid = fc.record({
  flavour: fc.constant('mysql' as const),
  uuid: fc.constantFrom(A, B),
  tag: fc.constantFrom('', '', 'blue', '_green'),
  number: fc.bigInt(1n, 40n),
});
const anyGtids = fc.array(anyGtid, { maxLength: 60 });

function setOf(gtids: readonly MysqlGtid[]): GtidSet {
  const set = new GtidSet();
  for (const one of gtids) set.add(one);
  return set;
}

/** The model to compare with: a plain set of single GTIDs. */
const namesOf = (gtids: readonly MysqlGtid[]): Set<string> => new Set(gtids.map(formatMysqlGtid));
const universe: readonly MysqlGtid[] = [A, B].flatMap((uuid) =>
  ['', 'blue', '_green'].flatMap((tag) =>
    Array.from({ length: 41 }, (_, i) => gtid(uuid, BigInt(i + 1), tag)),
  ),
);
const membersOf = (set: GtidSet): Set<string> =>
  new Set(universe.filter((one) => set.has(one)).map(formatMysqlGtid));

describe('GtidSet text', () => {
  const cases: readonly (readonly [input: string, canonical: string])[] = [
    ['', ''],
    [`${A}:1`, `${A}:1`],
    [`${A}:1-1`, `${A}:1`],
    [`${A.toUpperCase()}:1-3`, `${A}:1-3`],
    [`${A}:3-4:1-2`, `${A}:1-4`],
    [`${A}:1-3:5:4`, `${A}:1-5`],
    [`${B}:1,\n${A}:7-9`, `${A}:7-9,${B}:1`],
    [`${A}:1-3:blue:1-5:_green:2`, `${A}:1-3:_green:2:blue:1-5`],
    [`${A}:Blue:1, ${A}:2`, `${A}:2:blue:1`],
    [`${A}:1-3,`, `${A}:1-3`],
    [`${A}:9223372036854775806`, `${A}:9223372036854775806`],
  ];
  test.each(cases)('%j becomes %j', (input, canonical) => {
    expect(GtidSet.parse(input).toString()).toBe(canonical);
  });

  test.each([
    A,
    `${A}:`,
    `${A}:0`,
    `${A}:5-4`,
    `${A}:1-`,
    `${A}:blue`,
    `${A}:blue:red:1`,
    `${A}:1x`,
    `${A}:9223372036854775807`,
    `${A}:tag-with-hyphen:1`,
    'mariadb:0-1-2',
    '0-1-2',
    `${A.slice(1)}:1`,
  ])('%j is refused', (text) => {
    expect(() => GtidSet.parse(text)).toThrow(expect.objectContaining({ code: 'HOLT_POSITION_INVALID' }));
  });

  test('parse undoes toString, and equal sets have equal text', () => {
    fc.assert(
      fc.property(anyGtids, fc.nat(), (gtids, seed) => {
        const set = setOf(gtids);
        const shuffled = [...gtids].sort(
          (a, b) => ((Number(a.number) * 7 + seed) % 13) - (Number(b.number) % 13),
        );
        expect(GtidSet.parse(set.toString()).toString()).toBe(set.toString());
        expect(setOf(shuffled).toString()).toBe(set.toString());
      }),
    );
  });

  test('text follows a set that goes on growing after it was formatted', () => {
    const set = GtidSet.parse(`${A}:1-3`);
    expect(set.toString()).toBe(`${A}:1-3`);
    set.add(gtid(A, 4n));
    expect(set.toString()).toBe(`${A}:1-4`);
    set.add(gtid(B, 9n, 'blue'));
    expect(set.toPosition()).toBe(`mysql:${A}:1-4,${B}:blue:9`);
    expect(gtidSetOf(set.toPosition()).equals(set)).toBe(true);
  });
});

describe('GtidSet algebra', () => {
  test('holds exactly what was added', () => {
    fc.assert(
      fc.property(anyGtids, (gtids) => {
        expect(membersOf(setOf(gtids))).toEqual(namesOf(gtids));
      }),
    );
  });

  test('union, subtract and contains are those of sets', () => {
    fc.assert(
      fc.property(anyGtids, anyGtids, (a, b) => {
        const [left, right] = [namesOf(a), namesOf(b)];
        const [x, y] = [setOf(a), setOf(b)];
        expect(membersOf(x.union(y))).toEqual(new Set([...left, ...right]));
        expect(membersOf(x.subtract(y))).toEqual(new Set([...left].filter((one) => !right.has(one))));
        expect(x.contains(y)).toBe([...right].every((one) => left.has(one)));
        expect(x.union(y).contains(x)).toBe(true);
        expect(x.subtract(y).union(y).contains(x)).toBe(true);
        expect(x.subtract(x).isEmpty).toBe(true);
        // Neither operand was changed.
        expect(x.equals(setOf(a)) && y.equals(setOf(b))).toBe(true);
      }),
    );
  });

  test('whole intervals do what their members one by one do', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.bigInt(1n, 40n), fc.bigInt(0n, 9n)), { maxLength: 20 }), (spans) => {
        const byInterval = new GtidSet();
        const byOne = new GtidSet();
        for (const [first, more] of spans) {
          byInterval.addInterval(A, '', first, first + more);
          for (let n = first; n <= first + more; n += 1n) byOne.add(gtid(A, n));
        }
        expect(byInterval.toString()).toBe(byOne.toString());
      }),
    );
  });

  test('a clone goes its own way', () => {
    const set = GtidSet.parse(`${A}:1-3`);
    const copy = set.clone();
    copy.add(gtid(A, 4n));
    expect([set.toString(), copy.toString()]).toEqual([`${A}:1-3`, `${A}:1-4`]);
  });

  test('adding the next number a million times is quick', () => {
    const set = GtidSet.parse(`${A}:1-3:7-9`);
    const start = performance.now();
    for (let n = 10n; n < 1_000_000n; n += 1n) set.add(gtid(A, n));
    expect(set.toString()).toBe(`${A}:1-3:7-999999`);
    expect(performance.now() - start).toBeLessThan(3_000);
  });
});

/** The text of a set out of its bytes, by the engine's decoder. */
function decoded(bytes: Buffer): string {
  const header = {
    timestamp: 0,
    typeCode: 35,
    serverId: 1,
    eventLength: 0,
    logPos: 0,
    flags: 0,
    crc32: null,
  };
  const event = decodePreviousGtids(new ByteReader(bytes, 'PREVIOUS_GTIDS'), header);
  return event.kind === 'previous-gtids' ? event.set : event.kind;
}

describe('GtidSet bytes', () => {
  test('the decoder of PREVIOUS_GTIDS undoes encode', () => {
    fc.assert(
      fc.property(anyGtids, (gtids) => {
        const set = setOf(gtids);
        expect(decoded(set.encode())).toBe(set.toString());
      }),
    );
  });

  test('a set without tags has the form that servers before 8.3 read', () => {
    expect(GtidSet.parse(`${A}:1-3:5`).encode().toString('hex')).toBe(
      [
        '0100000000000000',
        A.replaceAll('-', ''),
        '0200000000000000',
        '01000000000000000400000000000000',
        '05000000000000000600000000000000',
      ].join(''),
    );
  });

  test('a set with tags names its form in the first and the last byte of the head', () => {
    expect(GtidSet.parse(`${A}:1:blue:2-3`).encode().toString('hex')).toBe(
      [
        '0102000000000001',
        A.replaceAll('-', ''),
        '00',
        '0100000000000000',
        '01000000000000000200000000000000',
        A.replaceAll('-', ''),
        '08',
        Buffer.from('blue').toString('hex'),
        '0100000000000000',
        '02000000000000000400000000000000',
      ].join(''),
    );
  });

  test('cut short anywhere it is refused', () => {
    const bytes = GtidSet.parse(`${A}:1-3:blue:2-3,${B}:7`).encode();
    for (let length = 0; length < bytes.length; length += 1)
      expect(() => decoded(bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'HOLT_EVENT_CORRUPT' }),
      );
  });
});
