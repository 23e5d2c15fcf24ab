/**
 * The client side of the MySQL protocol, as far as a replica needs it.
 *
 * A message is a payload; payloads travel in packets of at most 16 MiB - 1, each with a 3-byte length and a sequence
 * number (`packet-splitter.ts`, `packet-writer.ts`). `PacketChannel` moves payloads over a socket, `ServerConnection` logs in and
 * runs commands; after a dump command the channel carries nothing but events. Every other file here encodes or decodes
 * one kind of message, under its grammar.
 *
 *     byte-reader ◄─ handshake, reply, result-set, commands ◄─ server-connection ─► packet-channel ─► packet-splitter
 *                            auth/…                         ◄─┘
 *
 * Text is UTF-8 on the session; column values stay bytes.
 *
 * Source of all layouts: https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html and
 * https://mariadb.com/kb/en/clientserver-protocol/.
 */
import { HoltError } from '../../lib/errors.ts';

/** Capability bits, https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html. */
export const CAPABILITY = {
  /** Set by MySQL; MariaDB clears it since 10.2. */
  longPassword: 1 << 0,
  longFlag: 1 << 2,
  protocol41: 1 << 9,
  ssl: 1 << 11,
  transactions: 1 << 13,
  secureConnection: 1 << 15,
  pluginAuth: 1 << 19,
  connectAttributes: 1 << 20,
  pluginAuthLenencData: 1 << 21,
} as const;

/** Command bytes, https://dev.mysql.com/doc/dev/mysql-server/latest/my__command_8h.html. */
export const COMMAND = {
  quit: 0x01,
  query: 0x03,
  ping: 0x0e,
  binlogDump: 0x12,
  registerReplica: 0x15,
  binlogDumpGtid: 0x1e,
} as const;

/** A packet of this length is followed by another of the same payload. */
export const FULL_PACKET_BYTES = 0xff_ffff;

/** Bytes that do not fit the protocol: a wrong port, a proxy that changes bytes, a defect. */
export function protocolError(message: string): HoltError {
  return new HoltError('HOLT_SOURCE_PROTOCOL', message, { disposition: 'retry' });
}
