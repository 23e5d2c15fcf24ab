import { FULL_PACKET_BYTES } from './protocol.ts';

/**
 * A payload in packets: `u24 length · u8 sequence · bytes`, again and again until a packet is not full (the last may be empty).
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html.
 *
 * @returns the bytes, and the sequence number that follows
 */
export function writePackets(
  payload: Buffer,
  sequence: number,
): { readonly bytes: Buffer; readonly nextSequence: number } {
  const packets = Math.floor(payload.length / FULL_PACKET_BYTES) + 1;
  const bytes = Buffer.allocUnsafe(payload.length + packets * 4);
  for (let index = 0, from = 0, to = 0; index < packets; index += 1) {
    const length = Math.min(FULL_PACKET_BYTES, payload.length - from);
    bytes.writeUIntLE(length, to, 3);
    bytes.writeUInt8((sequence + index) & 0xff, to + 3);
    payload.copy(bytes, to + 4, from, from + length);
    from += length;
    to += length + 4;
  }
  return { bytes, nextSequence: (sequence + packets) & 0xff };
}
