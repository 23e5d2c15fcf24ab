/**
 * FORMAT_DESCRIPTION: which server wrote the file, how long each type's post-header is, and how events are summed.
 *
 *     u16 binlog version · char[50] server version, NUL padded · u32 created · u8 common header length (19)
 *     · u8 × types post-header lengths · [u8 checksum algorithm · u32 checksum]
 *
 * The algorithm is there since MySQL 5.6.1 and MariaDB 5.3, and then so is room for the checksum, even where the
 * algorithm is "none". Source:
 * https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Format__description__event.html
 */
import { HoltError } from '../../lib/errors.ts';
import { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';
import { CHECKSUM_BYTES, HEADER_BYTES, verifyChecksum } from './header.ts';

export type FormatDescription = Extract<BinlogEvent, { kind: 'format-description' }>;

const VERSION_BYTES = 50;
const ALGORITHM_BYTES = 1;

/** True for servers whose description ends in a checksum algorithm. */
export function knowsChecksums(serverVersion: string): boolean {
  const [major = 0, minor = 0, patch = 0] = serverVersion.split(/[.-]/, 3).map((part) => Number(part) || 0);
  const version = major * 1_000_000 + minor * 1_000 + patch;
  return version >= (/mariadb/i.test(serverVersion) ? 5_003_000 : 5_006_001);
}

/**
 * `event` is the whole event with header and trailer: it alone says whether it has one.
 * @throws HOLT_EVENT_UNSUPPORTED for binlog versions before 4 and unknown checksums; HOLT_EVENT_CHECKSUM.
 */
export function decodeFormatDescription(event: Buffer, header: EventHeader): FormatDescription {
  const reader = new ByteReader(event.subarray(HEADER_BYTES), 'FORMAT_DESCRIPTION');
  const binlogVersion = reader.u16();
  if (binlogVersion !== 4)
    throw new HoltError('HOLT_EVENT_UNSUPPORTED', `binlog version ${binlogVersion} is older than MySQL 5.0`);
  const padded = reader.latin1(VERSION_BYTES);
  const nul = padded.indexOf('\0');
  const serverVersion = nul === -1 ? padded : padded.slice(0, nul);
  const createdAt = reader.u32();
  const headerLength = reader.u8();
  if (headerLength !== HEADER_BYTES) reader.fail(`a common header of ${headerLength} bytes`);
  const summed = knowsChecksums(serverVersion);
  const lengths = reader.remaining - (summed ? ALGORITHM_BYTES + CHECKSUM_BYTES : 0);
  if (lengths < 0) reader.fail('no room for a checksum algorithm');
  const postHeaderLengths = Uint8Array.from(reader.bytes(lengths));
  const algorithm = summed ? reader.u8() : 0;
  if (algorithm > 1)
    throw new HoltError('HOLT_EVENT_UNSUPPORTED', `checksum algorithm ${algorithm} is not known`);
  const crc = algorithm === 1 ? verifyChecksum(event) : null;
  return {
    kind: 'format-description',
    header: { ...header, crc32: crc },
    binlogVersion,
    serverVersion,
    createdAt,
    postHeaderLengths,
    checksum: algorithm === 1 ? 'crc32' : 'none',
  };
}
