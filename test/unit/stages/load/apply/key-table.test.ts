import fc from 'fast-check';
import { expect, it } from 'vitest';
import { KeyTable } from '../../../../../stages/load/apply/key-table.ts';

it('numbers keys by their bytes in order of appearance', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 6, max: 3 }), { maxLength: 400 }), (keys) => {
      const table = new KeyTable(1);
      const model = new Map<string, number>();
      for (const key of keys) {
        const padded = Buffer.concat([Buffer.from('xx'), key, Buffer.from('yy')]);
        const text = Buffer.from(key).toString('hex');
        expect(table.has(padded, 2, key.length)).toBe(model.has(text));
        const expected = model.get(text) ?? model.size;
        expect(table.add(padded, 2, key.length)).toBe(expected);
        model.set(text, expected);
        expect(table.size).toBe(model.size);
      }
    }),
  );
});

it('holds many keys, long ones too, and forgets them', () => {
  const table = new KeyTable(1);
  const key = (i: number) => Buffer.from(`${'k'.repeat(i % 300)}${i}`);
  for (let i = 0; i < 20_000; i++) expect(table.add(key(i), 0, key(i).length)).toBe(i);
  for (let i = 0; i < 20_000; i += 7) expect(table.add(key(i), 0, key(i).length)).toBe(i);
  table.clear();
  expect(table.size).toBe(0);
  expect(table.has(key(1), 0, key(1).length)).toBe(false);
  expect(table.add(key(5), 0, key(5).length)).toBe(0);
});
