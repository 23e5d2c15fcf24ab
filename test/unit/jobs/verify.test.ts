import { describe, expect, test } from 'vitest';
import { InProcessQueue } from '../../../jobs/in-process-queue.ts';
import { canonicalJsonText } from '../../../jobs/verify/canonical-json.ts';
import { keyLiteral, selectBoundary, selectKeys, selectRange } from '../../../jobs/verify/chunk-sql.ts';
import { compareBags, compareRows } from '../../../jobs/verify/compare-rows.ts';
import type { RowReader, VerifyTable } from '../../../jobs/verify/verify.ts';
import { VerifyRuns } from '../../../jobs/verify/verify-runs.ts';
import { waitFor } from '../../../lib/abort.ts';
import { silentLogger } from '../../../lib/logger.ts';

const column = (source: string, target = source, dataType = 'int', charset: string | null = null) => ({
  source,
  target,
  constant: null,
  form: 'bytes' as const,
  dataType,
  charset,
});

const table: VerifyTable = {
  sourceSchema: 's',
  sourceTable: 't',
  targetSchema: 's2',
  targetTable: 't`2',
  columns: [column('a'), column('b', 'bb', 'varchar', 'utf8mb4'), column('v', 'v', 'varchar', 'utf8mb4')],
  key: [0, 1],
  passes: null,
  filterColumns: [],
};

const row = (...values: (string | null)[]) =>
  values.map((value) => (value === null ? null : Buffer.from(value)));

describe('chunk SQL', () => {
  test('a range of a composite key is written out, each side under its own names', () => {
    const range = { after: row('1', 'x'), upTo: row('2', "y'") };
    expect(selectRange(table, 'target', range)).toBe(
      "SELECT `a`, `bb`, `v` FROM `s2`.`t``2` WHERE ((`a` > 1) OR (`a` = 1 AND `bb` > _utf8mb4 x'78')) AND ((`a` < 2) OR (`a` = 2 AND `bb` < _utf8mb4 x'7927') OR (`a` = 2 AND `bb` = _utf8mb4 x'7927'))",
    );
    expect(selectBoundary(table, null, 100)).toBe(
      'SELECT `a`, `b` FROM `s`.`t` ORDER BY `a`, `b` LIMIT 1 OFFSET 99',
    );
    expect(selectKeys(table, 'source', [row('1', 'x')])).toBe(
      "SELECT `a`, `b`, `v` FROM `s`.`t` WHERE (`a` = 1 AND `b` = _utf8mb4 x'78')",
    );
  });

  test('what is no number is never written bare', () => {
    expect(keyLiteral(Buffer.from('1 OR 1=1'), 'int', null)).toBe("x'31204f5220313d31'");
    expect(keyLiteral(Buffer.from('2024-01-01'), 'date', null)).toBe("'2024-01-01'");
    expect(keyLiteral(Buffer.from("'; --"), 'datetime', null)).toBe("x'273b202d2d'");
  });
});

describe('comparing', () => {
  test('finds missing, unexpected and different rows, NULL apart from empty', () => {
    const findings = compareRows(
      table,
      [row('1', 'x', 'v'), row('2', 'x', null), row('3', 'x', 'v')],
      [row('2', 'x', ''), row('3', 'x', 'v'), row('4', 'x', 'v')],
    );
    expect(findings.map((one) => [one.kind, one.key.map(String).join(), one.columns])).toEqual([
      ['different', '2,x', ['v']],
      ['unexpected', '4,x', []],
      ['missing', '1,x', []],
    ]);
  });

  test('values that hold separators are not mistaken for others', () => {
    expect(compareRows(table, [row('1', 'a\u0000Vb', 'c')], [row('1', 'a', 'b\u0000Vc')])).toHaveLength(2);
    expect(
      compareRows({ ...table, key: [0] }, [row('1', 'V1:a', 'b')], [row('1', 'V1:', 'ab')]),
    ).toHaveLength(1);
  });

  test('rows that the filter holds back are wanted absent', () => {
    const filtered = { ...table, passes: (one: readonly (Buffer | null)[]) => one[2]?.toString() === 'yes' };
    expect(
      compareRows(
        filtered,
        [row('1', 'x', 'no'), row('2', 'x', 'yes')],
        [row('1', 'x', 'no'), row('2', 'x', 'yes')],
      ).map((one) => one.kind),
    ).toEqual(['unexpected']);
  });

  test('bags count duplicates', () => {
    const bag = { ...table, key: [] };
    const one = row('1', 'x', 'v');
    expect(compareBags(bag, [one, one, one], [one]).map((finding) => finding.kind)).toEqual([
      'missing',
      'missing',
    ]);
    expect(compareBags(bag, [one], [one])).toEqual([]);
  });

  test('JSON is equal when its documents are, to the last digit', () => {
    expect(canonicalJsonText('{"b": 1, "a":[ 1.50 , "\\u00e9"]}')).toBe('{"a":[1.5,"é"],"b":1}');
    expect(canonicalJsonText('[1e0, 1, -0.0, 1e15, 18446744073709551616]')).toBe(
      '[1.0,1,-0.0,1000000000000000.0,18446744073709552000.0]',
    );
    expect(canonicalJsonText('[-99999999999999999999.123456789]')).toBe('[-99999999999999999999.123456789]');
    expect(canonicalJsonText('{"a": 18446744073709551615}')).toBe('{"a":18446744073709551615}');
    expect(canonicalJsonText('no json')).toBe('no json');
  });
});

/** Answers like a table of `a` = 1…n, whose content a test may change between looks. */
class ScriptedReader implements RowReader {
  readonly #rows: () => (Buffer | null)[][];
  constructor(rows: () => (Buffer | null)[][]) {
    this.#rows = rows;
  }
  rows(sql: Buffer | string): Promise<(Buffer | null)[][]> {
    const text = String(sql);
    const number = (form: RegExp) => {
      const found = form.exec(text)?.[1];
      return found === undefined ? null : Number(found);
    };
    const after = number(/`a` > (\d+)/) ?? 0;
    const upTo = number(/`a` < (\d+)/) ?? Number.POSITIVE_INFINITY;
    const keys = [...text.matchAll(/\(`a` = (\d+)\)/g)].map((match) => Number(match[1]));
    const rows = this.#rows().filter((one) => {
      const a = Number(one[0]);
      return keys.length > 0 && !text.includes('<') ? keys.includes(a) : a > after && a <= upTo;
    });
    const offset = number(/OFFSET (\d+)/);
    if (offset === null) return Promise.resolve(rows);
    const found = rows[offset];
    return Promise.resolve(found === undefined ? [] : [[found[0] ?? null]]);
  }
}

async function verify(source: () => (Buffer | null)[][], target: () => (Buffer | null)[][]) {
  const runs = new VerifyRuns({
    queue: (options) => new InProcessQueue(options),
    node: 'n',
    log: silentLogger,
    chunkRows: 10,
    looksMs: [1, 1, 1],
  });
  const simple: VerifyTable = { ...table, columns: [column('a'), column('v')], key: [0] };
  const { id } = runs.start({
    pipeline: 'p',
    tables: [simple],
    open: () =>
      Promise.resolve({
        source: new ScriptedReader(source),
        target: new ScriptedReader(target),
        close: () => Promise.resolve(),
      }),
  });
  const report = await waitFor(() => (runs.report(id).state === 'running' ? null : runs.report(id)), {
    timeoutMs: 5000,
    pollMs: 1,
    what: 'the check ends',
  });
  await runs.close();
  return report;
}

describe('VerifyRuns', () => {
  const rows = (n: number) => Array.from({ length: n }, (_, i) => row(String(i + 1), `v${i + 1}`));

  test('compares every chunk, and what lies beyond the last key at the target', async () => {
    expect(
      await verify(
        () => rows(35),
        () => rows(35),
      ),
    ).toMatchObject({ state: 'equal', rowsCompared: 35, chunksDone: 4, differencesTotal: 0 });
    expect(
      await verify(
        () => rows(30),
        () => rows(31),
      ),
    ).toMatchObject({ state: 'different', differences: [{ kind: 'unexpected', key: 'a=31' }] });
    expect(
      await verify(
        () => rows(0),
        () => rows(1),
      ),
    ).toMatchObject({ state: 'different', differencesTotal: 1 });
  });

  test('a row that arrives between looks is no difference; one that stays different is', async () => {
    let look = 0;
    const late = () => (++look > 2 ? rows(5) : rows(4));
    expect(await verify(() => rows(5), late)).toMatchObject({ state: 'equal' });
    const other = () => rows(5).map((one, i) => (i === 2 ? row('3', 'other') : one));
    expect(await verify(() => rows(5), other)).toMatchObject({
      state: 'different',
      differences: [{ kind: 'different', key: 'a=3', columns: ['v'] }],
    });
  });

  test('a reader that keeps failing ends the check with its message', async () => {
    expect(
      await verify(
        () => rows(1),
        () => {
          throw new Error('gone away');
        },
      ),
    ).toMatchObject({ state: 'failed', error: 'gone away' });
  }, 20_000);
});
