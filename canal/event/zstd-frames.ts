/**
 * Zstandard streams, unpacked block by block in bounded memory.
 *
 *     stream := frame*        frame := magic · header · block* · [u32 checksum]
 *     block  := u24 (last 1 bit · type 2 bits · size 21 bits) · data (type 1: one byte, repeated `size` times)
 *
 * The frames are walked here (RFC 8878 section 3.1.1), so that one block at a time goes into the decompressor and the
 * window it asks for is known before any memory is given to it.
 */
import { Decompress } from 'fzstd';
import { HoltError } from '../../lib/errors.ts';

/** What level 22, the highest that binlog_transaction_compression_level_zstd takes, asks for. */
const MAX_WINDOW_BYTES = 128 * 1024 * 1024;
const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const RLE_BLOCK = 1;
const COMPRESSED_BLOCK = 2;
const RESERVED_BLOCK = 3;
const COMPRESSED_LITERALS = 2;
/** The table of weights has an accuracy log of at most 6. */
const MOST_TREE_STATES = 64;

/** Yields the plain bytes in pieces of at most 128 KiB. @throws HOLT_EVENT_CORRUPT, HOLT_EVENT_TOO_LARGE. */
export function* unpackZstd(packed: Buffer): Generator<Uint8Array, void, undefined> {
  let offset = 0;
  while (offset < packed.length) {
    const magic = read(packed, offset, 4);
    if ((magic & 0xffff_fff0) >>> 0 === SKIPPABLE_MAGIC) {
      offset += 8 + read(packed, offset + 4, 4);
      continue;
    }
    if (magic !== FRAME_MAGIC) throw corrupt('no frame begins');
    offset = yield* unpackFrame(packed, offset);
  }
  if (offset > packed.length) throw corrupt('the last frame is cut off');
}

function* unpackFrame(packed: Buffer, start: number): Generator<Uint8Array, number, undefined> {
  const { headerEnd, checksumBytes } = readFrameHeader(packed, start);
  const ready: Uint8Array[] = [];
  const decompress = new Decompress((piece) => {
    if (piece.length > 0) ready.push(piece);
  });
  let from = start;
  let offset = headerEnd;
  for (let last = false; !last; ) {
    const block = read(packed, offset, 3);
    last = (block & 1) === 1;
    const type = (block >> 1) & 3;
    if (type === RESERVED_BLOCK) throw corrupt('a block of reserved type');
    const data = offset + 3;
    offset += 3 + (type === RLE_BLOCK ? 1 : block >> 3);
    if (last) offset += checksumBytes;
    if (offset > packed.length) throw corrupt('a block is cut off');
    if (type === COMPRESSED_BLOCK && hasEndlessTree(packed, data))
      throw corrupt('a Huffman tree whose weights never end');
    try {
      decompress.push(packed.subarray(from, offset), last);
    } catch (cause) {
      throw corrupt('a block does not unpack', cause);
    }
    from = offset;
    yield* ready;
    ready.length = 0;
  }
  return offset;
}

/**
 * True where the weights of a block's Huffman tree are coded with one symbol that has all the probability: it takes no bits to write, so
 * that any number of them fits, and the decompressor, which reads until the bits are used up, would go on for ever. No
 * compressor writes this: such weights are written plainly.
 *
 *     literals := u8 (type 2 bits · size format 2 bits · …) · 2 to 4 bytes of sizes · [type 2: u8 · tree]
 *     tree     := below 128: an FSE table, low nibble accuracy log − 5, then probabilities (RFC 8878 sections 4.1.1 and 4.2.1)
 */
function hasEndlessTree(packed: Buffer, block: number): boolean {
  const head = packed[block] ?? 0;
  const format = (head >> 2) & 3;
  const tree = block + (format < 2 ? 3 : format + 2);
  if ((head & 3) !== COMPRESSED_LITERALS || (packed[tree] ?? 0) >= 128) return false;
  const size = 32 << ((packed[tree + 1] ?? 0) & 15);
  if (size > MOST_TREE_STATES) return false;
  const bitsAt = (at: number, count: number): number => {
    const byte = tree + 1 + (at >> 3);
    const word = (packed[byte] ?? 0) | ((packed[byte + 1] ?? 0) << 8) | ((packed[byte + 2] ?? 0) << 16);
    return (word >> (at & 7)) & ((1 << count) - 1);
  };
  // The first probability that is not zero: sizes up to 64 have values of at most 7 bits, the shorter ones one bit less.
  const width = Math.floor(Math.log2(size + 1)) + 1;
  const threshold = 2 ** width - 1 - size - 1;
  for (let at = 4; at >> 3 < 128; ) {
    const short = bitsAt(at, width - 1);
    let value = bitsAt(at, width);
    if (short < threshold) {
      value = short;
      at += width - 1;
    } else {
      at += width;
      if (value >= 2 ** (width - 1)) value -= threshold;
    }
    if (value !== 1) return value - 1 === size;
    // A probability of zero says how many more of them follow.
    let repeat = 3;
    while (repeat === 3 && at >> 3 < 128) {
      repeat = bitsAt(at, 2);
      at += 2;
    }
  }
  return false;
}

function readFrameHeader(packed: Buffer, start: number): { headerEnd: number; checksumBytes: number } {
  const descriptor = read(packed, start + 4, 1);
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeCode = descriptor >> 6;
  const sizeBytes = sizeCode === 0 ? (singleSegment ? 1 : 0) : 1 << sizeCode;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  if (dictionaryBytes > 0) throw corrupt('a frame that needs a dictionary');
  const windowBytes = singleSegment ? 0 : 1;
  const headerEnd = start + 5 + windowBytes + sizeBytes;
  if (headerEnd > packed.length) throw corrupt('a frame header is cut off');
  let window: number;
  if (singleSegment) {
    const sizeAt = start + 5;
    window =
      sizeBytes === 8
        ? Number(packed.readBigUInt64LE(sizeAt))
        : read(packed, sizeAt, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  } else {
    const code = read(packed, start + 5, 1);
    const base = 2 ** (10 + (code >> 3));
    window = base + (base / 8) * (code & 7);
  }
  if (window > MAX_WINDOW_BYTES)
    throw new HoltError(
      'HOLT_EVENT_TOO_LARGE',
      `a compressed transaction wants a window of ${window} bytes`,
      {
        facts: { window, maxBytes: MAX_WINDOW_BYTES },
      },
    );
  return { headerEnd, checksumBytes: (descriptor & 0x04) !== 0 ? 4 : 0 };
}

function read(bytes: Buffer, offset: number, length: number): number {
  if (offset + length > bytes.length) throw corrupt('it is cut off');
  return bytes.readUIntLE(offset, length);
}

function corrupt(why: string, cause?: unknown): HoltError {
  return new HoltError('HOLT_EVENT_CORRUPT', `a compressed transaction does not unpack: ${why}`, { cause });
}
