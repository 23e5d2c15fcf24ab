import { expect, it } from 'vitest';
import { RowSlab } from '../../../../canal/assembler/row-slab.ts';

const MEMORY_BYTES = 64 * 1024;

function memoryOf(byte: number): Buffer {
  return Buffer.alloc(MEMORY_BYTES, byte);
}

it('rows that are rare in what came are copied out of it', () => {
  const slab = new RowSlab();
  for (let i = 0; i < 10; i++) {
    const memory = memoryOf(i);
    slab.keep(memory, 100, 300);
    expect(slab.memory).not.toBe(memory);
    expect(slab.memory.subarray(slab.from, slab.to)).toEqual(Buffer.alloc(200, i));
  }
});

it('rows that are most of what came stay where they are, from the second memory on', () => {
  const slab = new RowSlab();
  const seen: boolean[] = [];
  for (let i = 0; i < 3; i++) {
    const memory = memoryOf(i);
    for (let at = 0; at + 1_000 <= MEMORY_BYTES; at += 1_000) {
      slab.keep(memory, at, at + 900);
      expect(slab.memory[slab.from]).toBe(i);
      expect(slab.to - slab.from).toBe(900);
    }
    seen.push(slab.memory === memory);
    // What was put together by itself in between says nothing of its neighbours.
    slab.keep(Buffer.alloc(3_000, 9), 50, 150);
  }
  expect(seen).toEqual([false, true, true]);
});

it('a large event that is alone in its memory is not copied', () => {
  const slab = new RowSlab();
  const memory = Buffer.allocUnsafeSlow(100_000);
  slab.keep(memory, 50, 99_990);
  expect(slab.memory).toBe(memory);
});
