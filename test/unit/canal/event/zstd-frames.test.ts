import { expect, it } from 'vitest';
import { unpackZstd } from '../../../../canal/event/zstd-frames.ts';

/** A frame of one compressed block whose literals have a tree with these bytes. */
function frameWithTree(...tree: readonly number[]): Buffer {
  const block = Buffer.from([0b0000_0010, 0x40, 0x00, ...tree, ...Array.from({ length: 20 }, () => 0x55)]);
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, 100]);
  const size = Buffer.alloc(3);
  size.writeUIntLE((block.length << 3) | (2 << 1) | 1, 0, 3);
  return Buffer.concat([header, size, block]);
}

it.each([
  ['first', [5, 0xf0, 0x03, 0, 0, 1]],
  // Probability 0, no further zeros, then all of it.
  ['second', [5, 0x10, 0xf8, 0x01, 0, 1]],
])(
  'a table of weights where the %s symbol has all the probability is refused, not read for ever',
  (_, tree) => {
    expect(() => [...unpackZstd(frameWithTree(...tree))]).toThrow(/weights never end/);
  },
);
