import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonReader } from '../../../../canal/value/json-binary.ts';
import {
  applyJsonDiffs,
  parseJsonDiffs,
  writeJsonDiffExpression,
} from '../../../../canal/value/json-diff.ts';
import { writeJsonLiteral } from '../../../../canal/value/json-literal.ts';
import { parseJsonPath } from '../../../../canal/value/json-path.ts';
import { writeJsonText } from '../../../../canal/value/json-text.ts';
import { jsonTreeBytes, readJsonTree } from '../../../../canal/value/json-tree.ts';
import { ByteSink } from '../../../../lib/byte-sink.ts';
import { HoltError } from '../../../../lib/errors.ts';
import { concat, lenenc, text, u8 } from '../../../support/binlog-bytes.ts';
import { jsonBytes, varlen } from '../../../support/json-bytes.ts';

function textOf(document: Buffer): string {
  const sink = new ByteSink(64);
  const reader = new JsonReader(document, 0, document.length);
  writeJsonText(sink, reader, reader.root());
  return sink.view().toString('utf8');
}

function literalOf(document: Buffer): string {
  const sink = new ByteSink(64);
  const reader = new JsonReader(document, 0, document.length);
  writeJsonLiteral(sink, reader, reader.root());
  return sink.view().toString('utf8');
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof HoltError) return error.code;
    throw error;
  }
  return 'no error';
}

/** JSON values whose strings are whole characters. */
const values = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' });
const big = fc.array(fc.string({ minLength: 3000, maxLength: 5000 }), { minLength: 15, maxLength: 20 });

describe('binary JSON', () => {
  it('has the text of its value, small documents and large ones', () => {
    fc.assert(
      fc.property(fc.oneof({ weight: 9, arbitrary: values }, { weight: 1, arbitrary: big }), (value) => {
        // Once more through JSON.stringify, which knows no sign of zero: the text has it, JavaScript's own JSON has not.
        const read: unknown = JSON.parse(textOf(jsonBytes(value)));
        expect(JSON.parse(JSON.stringify(read))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('survives being taken apart and put together', () => {
    fc.assert(
      fc.property(values, (value) => {
        const document = jsonBytes(value);
        const reader = new JsonReader(document, 0, document.length);
        expect(jsonTreeBytes(readJsonTree(reader, reader.root()))).toEqual(document);
      }),
    );
  });

  it('prints numbers, separators and escapes as MySQL does', () => {
    const document = jsonBytes({
      b: [1, -70000, 1.5, 1e15, 5000000000n],
      aa: '"\\/\b\f\n\r\t\u0001ü😀',
      c: {},
      d: [],
    });
    expect(textOf(document)).toBe(
      '{"b": [1, -70000, 1.5, 1e15, 5000000000], "c": {}, "d": [], "aa": "\\"\\\\/\\b\\f\\n\\r\\t\\u0001ü😀"}',
    );
    expect(textOf(Buffer.alloc(0))).toBe('null');
  });

  it('prints opaque values: decimals, dates, bytes', () => {
    const opaque = (type: number, hex: string) => {
      const bytes = Buffer.from(hex, 'hex');
      return concat(u8(15), u8(type), varlen(bytes.length), bytes);
    };
    expect(textOf(opaque(246, '0403812c'.replace('812c', '8100fa')))).toBe('1.250');
    expect(textOf(opaque(12, '000000053144a519'))).toBe('"2020-01-02 03:04:05.000000"');
    expect(textOf(opaque(10, '000000000044a519'))).toBe('"2020-01-02"');
    expect(textOf(opaque(11, '000000fb6e340000'))).toBe('"838:59:59.000000"');
    expect(textOf(opaque(11, 'e05ef8faceffffff'))).toBe('"-03:04:05.500000"');
    expect(textOf(opaque(15, '616263'))).toBe('"base64:type15:YWJj"');
    expect(textOf(opaque(252, '00'.repeat(60)))).toBe(`"base64:type252:${'A'.repeat(76)}\\nAAAA"`);
  });

  it('never crashes, hangs or unfolds, whatever the bytes', () => {
    fc.assert(
      fc.property(values, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }), (value, changes) => {
        const document = jsonBytes(value);
        for (const [at, byte] of changes) document[at % document.length] = byte;
        const code = codeOf(() => expect(textOf(document).length).toBeLessThan(document.length * 40 + 100));
        expect(['no error', 'HOLT_VALUE_INVALID']).toContain(code);
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses a document in which many members share one value', () => {
    // Each of 40 levels holds the next one twice: 2^40 values in a few hundred bytes.
    let level = jsonBytes([1]).subarray(1);
    for (let i = 0; i < 40; i++) {
      const head = Buffer.from([2, 0, 0, 0, 2, 10, 0, 2, 10, 0]);
      head.writeUInt16LE(head.length + level.length, 2);
      level = concat(head, level);
    }
    expect(codeOf(() => textOf(concat(u8(2), level)))).toBe('HOLT_VALUE_INVALID');
  });

  it('refuses more than 100 levels', () => {
    let value: unknown = 1;
    for (let i = 0; i < 120; i++) value = [value];
    expect(codeOf(() => jsonBytes(value))).toBe('HOLT_VALUE_INVALID');
  });

  it('is plain text as a literal, unless a value would lose its type', () => {
    expect(literalOf(jsonBytes({ a: "it's" }))).toBe(`_utf8mb4'{"a": "it\\'s"}'`);
    const uint16 = concat(u8(6), Buffer.from([1, 0]));
    expect(literalOf(uint16)).toBe('CAST(CAST(1 AS UNSIGNED) AS JSON)');
    const array = concat(u8(2), Buffer.from([2, 0, 10, 0, 6, 7, 0, 5, 8, 0]));
    expect(literalOf(array)).toBe("JSON_ARRAY(CAST(7 AS UNSIGNED),CAST(_utf8mb4'8' AS JSON))");
  });
});

describe('JSON paths', () => {
  it('are read with their quotes and escapes', () => {
    const path = (source: string) =>
      parseJsonPath(text(source)).map((leg) => (leg.kind === 'cell' ? leg.index : leg.key.toString()));
    expect(path('$')).toEqual([]);
    expect(path('$.a[10]."b c\\"\\u00fc\\\\".ü')).toEqual(['a', 10, 'b c"ü\\', 'ü']);
    for (const wrong of ['', 'a', '$a', '$.', '$[', '$[x]', '$[*]', '$."a', '$.a[99999999999]'])
      expect(codeOf(() => parseJsonPath(text(wrong)))).toBe('HOLT_JSON_DIFF_INVALID');
  });
});

describe('JSON diffs', () => {
  const diff = (operation: number, path: string, value?: unknown) =>
    concat(
      u8(operation),
      lenenc(Buffer.byteLength(path)),
      text(path),
      ...(value === undefined ? [] : [lenenc(jsonBytes(value).length), jsonBytes(value)]),
    );
  const [REPLACE, INSERT, REMOVE] = [0, 1, 2];
  const base = { a: 1, list: [1, 2, 3], deep: { x: { y: 'z' } } };
  const apply = (...diffs: readonly Buffer[]) =>
    JSON.parse(textOf(applyJsonDiffs(jsonBytes(base), concat(...diffs))));

  it('replace, insert and remove in order', () => {
    expect(apply()).toEqual(base);
    expect(apply(diff(REPLACE, '$.a', 'new'))).toEqual({ ...base, a: 'new' });
    expect(apply(diff(INSERT, '$.b', [5]))).toEqual({ ...base, b: [5] });
    expect(apply(diff(REMOVE, '$.deep.x.y'))).toEqual({ ...base, deep: { x: {} } });
    expect(
      apply(diff(INSERT, '$.list[1]', 9), diff(REMOVE, '$.list[0]'), diff(INSERT, '$.list[7]', 8)),
    ).toEqual({
      ...base,
      list: [9, 2, 3, 8],
    });
    expect(apply(diff(REPLACE, '$', { whole: true }))).toEqual({ whole: true });
  });

  it('keep the order of keys that the server keeps', () => {
    const patched = applyJsonDiffs(
      jsonBytes({ bb: 1, a: 1, ccc: 1 }),
      concat(diff(INSERT, '$.b', 2), diff(INSERT, '$.ab', 3)),
    );
    expect(textOf(patched)).toBe('{"a": 1, "b": 2, "ab": 3, "bb": 1, "ccc": 1}');
  });

  it.each([
    ['replace what is not there', diff(REPLACE, '$.zzz', 1)],
    ['insert what is there', diff(INSERT, '$.a', 1)],
    ['remove what is not there', diff(REMOVE, '$.list[9]')],
    ['lead through another kind', diff(REPLACE, '$.a.b', 1)],
    ['lead through nothing', diff(REPLACE, '$.zzz.b', 1)],
    ['remove the document', diff(REMOVE, '$')],
    ['are of an unknown operation', u8(7)],
    ['are cut off', diff(REPLACE, '$.a', 1).subarray(0, -1)],
  ])('are refused where they %s', (_, diffs) => {
    expect(codeOf(() => applyJsonDiffs(jsonBytes(base), diffs))).toBe('HOLT_JSON_DIFF_INVALID');
  });

  it('become nested function calls, the first diff innermost', () => {
    const sink = new ByteSink(64);
    const diffs = concat(
      diff(REPLACE, '$.a', "it's"),
      diff(INSERT, '$.b', 1),
      diff(INSERT, '$.list[3]', null),
      diff(REMOVE, '$.c'),
    );
    expect(writeJsonDiffExpression(sink, '`j`', diffs)).toBe(true);
    expect(sink.take().toString()).toBe(
      "JSON_REMOVE(JSON_ARRAY_INSERT(JSON_INSERT(JSON_REPLACE(`j`,_utf8mb4'$.a',CAST(_utf8mb4'\"it\\'s\"' AS JSON))," +
        "_utf8mb4'$.b',CAST(_utf8mb4'1' AS JSON)),_utf8mb4'$.list[3]',CAST(_utf8mb4'null' AS JSON)),_utf8mb4'$.c')",
    );
    sink.reset();
    expect(writeJsonDiffExpression(sink, '`j`', Buffer.alloc(0))).toBe(false);
    expect(sink.take().toString()).toBe('`j`');
  });

  it('never crash on damaged bytes', () => {
    const bytes = concat(
      diff(REPLACE, '$.a', 'new'),
      diff(INSERT, '$.list[1]', [1, { a: 2 }]),
      diff(REMOVE, '$.deep.x'),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
        const damaged = Buffer.from(bytes);
        for (const [at, byte] of changes) damaged[at % damaged.length] = byte;
        const code = codeOf(() => {
          parseJsonDiffs(damaged);
          textOf(applyJsonDiffs(jsonBytes(base), damaged));
        });
        expect(['no error', 'HOLT_JSON_DIFF_INVALID', 'HOLT_VALUE_INVALID']).toContain(code);
      }),
      { numRuns: 2000 },
    );
  });
});
