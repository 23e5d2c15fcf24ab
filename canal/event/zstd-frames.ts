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
const RESERVED_BLOCK = 3;

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
    offset += 3 + (type === RLE_BLOCK ? 1 : block >> 3);
    if (last) offset += checksumBytes;
    if (offset > packed.length) throw corrupt('a block is cut off');
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
