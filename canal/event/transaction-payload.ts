/**
 * TRANSACTION_PAYLOAD (MySQL 8.0.20, binlog_transaction_compression): the events of a transaction in one, compressed.
 *
 *     (lenenc field · lenenc length · value)*      1 payload bytes, 2 compression (0 zstd, 255 none), 3 plain bytes; lenenc values
 *     lenenc 0 · payload (rest)
 *
 * The plain form is events back to back, each with its common header and without a checksum.
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Transaction__payload__event.html.
 *
 * A payload of a few hundred bytes may unpack to a terabyte, and one of 1 GiB honestly does to several: so the inner
 * events are made one by one while they are asked for, and only one of them has to fit in memory.
 */
import { HoltError } from '../../lib/errors.ts';
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';
import { HEADER_BYTES } from './header.ts';
import { unpackZstd } from './zstd-frames.ts';

const FIELD = { end: 0, payloadBytes: 1, compression: 2, plainBytes: 3 };
const COMPRESSION = { zstd: 0, none: 255 };

/** @param decodeInner makes an event from its header and body, which carries no checksum. */
export function decodeTransactionPayload(
  reader: ByteReader,
  header: EventHeader,
  maxEventBytes: number,
  decodeInner: (event: Buffer) => BinlogEvent,
): BinlogEvent {
  let payloadBytes: number | null = null;
  let compression: number = COMPRESSION.none;
  let plainBytes: number | null = null;
  for (let field = reader.lenenc(); field !== FIELD.end; field = reader.lenenc()) {
    const value = reader.inner(reader.lenenc(), 'TRANSACTION_PAYLOAD');
    if (field === FIELD.payloadBytes) payloadBytes = value.lenenc();
    else if (field === FIELD.compression) compression = value.lenenc();
    else if (field === FIELD.plainBytes) plainBytes = value.lenenc();
  }
  const packed = reader.bytes(payloadBytes ?? reader.remaining);
  if (compression !== COMPRESSION.zstd && compression !== COMPRESSION.none)
    throw new HoltError('HOLT_EVENT_UNSUPPORTED', `transaction compression ${compression} is not known`);
  const zstd = compression === COMPRESSION.zstd;
  return {
    kind: 'transaction-payload',
    header,
    compression: zstd ? 'zstd' : 'none',
    events: {
      *[Symbol.iterator]() {
        const pieces = zstd ? unpackZstd(packed) : [packed];
        for (const event of splitEvents(pieces, maxEventBytes, plainBytes)) yield decodeInner(event);
      },
    },
  };
}

/** Cuts a stream of pieces into whole events, each in memory of its own. */
function* splitEvents(
  pieces: Iterable<Uint8Array>,
  maxEventBytes: number,
  plainBytes: number | null,
): Generator<Buffer, void, undefined> {
  const head = Buffer.alloc(HEADER_BYTES);
  let headFilled = 0;
  let event: Buffer | null = null;
  let filled = 0;
  let total = 0;
  for (const piece of pieces) {
    total += piece.length;
    if (plainBytes !== null && total > plainBytes) throw corrupt('it unpacks to more than it says');
    let at = 0;
    while (at < piece.length) {
      if (event === null) {
        const wanted = Math.min(HEADER_BYTES - headFilled, piece.length - at);
        head.set(piece.subarray(at, at + wanted), headFilled);
        headFilled += wanted;
        at += wanted;
        if (headFilled < HEADER_BYTES) continue;
        const length = head.readUInt32LE(9);
        if (length < HEADER_BYTES) throw corrupt(`an inner event of ${length} bytes`);
        if (length > maxEventBytes)
          throw new HoltError(
            'HOLT_EVENT_TOO_LARGE',
            `an event in a transaction payload has ${length} bytes`,
            {
              facts: { length, maxBytes: maxEventBytes },
            },
          );
        if (plainBytes !== null && length > plainBytes) throw corrupt(`an inner event of ${length} bytes`);
        event = Buffer.allocUnsafe(length);
        head.copy(event);
        filled = HEADER_BYTES;
        headFilled = 0;
      } else {
        const wanted = Math.min(event.length - filled, piece.length - at);
        event.set(piece.subarray(at, at + wanted), filled);
        filled += wanted;
        at += wanted;
      }
      if (filled === event.length) {
        yield event;
        event = null;
      }
    }
  }
  if (event !== null || headFilled > 0) throw corrupt('its last event is cut off');
}

function corrupt(why: string): HoltError {
  return new HoltError('HOLT_EVENT_CORRUPT', `TRANSACTION_PAYLOAD: ${why}`);
}
