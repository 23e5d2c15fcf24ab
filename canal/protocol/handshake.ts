/**
 * Connection phase: what the server says first, and the client's two answers.
 *
 *     Handshake V10  := 0a · server version NUL · u32 thread id · 8 bytes nonce · 00 · u16 capabilities (low) ·
 *                       [ u8 charset · u16 status · u16 capabilities (high) · u8 nonce length · 10 bytes ·
 *                         max(13, nonce length - 8) bytes nonce, the rest · [ plugin name NUL ] ]
 *     SSL request    := u32 capabilities · u32 max packet · u8 charset · 23 zero bytes
 *     Response 41    := SSL request · user NUL · lenenc auth response · plugin name NUL · lenenc attributes
 *
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets.html. MariaDB puts
 * `5.5.5-` before its version for the sake of old MySQL replicas, https://mariadb.com/kb/en/connection/.
 */
import { ByteReader } from './byte-reader.ts';
import { CAPABILITY, protocolError } from './protocol.ts';

export interface ServerHandshake {
  readonly serverVersion: string;
  readonly flavour: 'mysql' | 'mariadb';
  readonly threadId: number;
  readonly capabilities: number;
  readonly nonce: Buffer;
  /** Empty where the server names none. */
  readonly authPlugin: string;
}

const MARIADB_PREFIX = '5.5.5-';
/** utf8mb4_general_ci, known to every server since 5.5. */
const CHARSET = 45;
const MAX_PACKET_BYTES = 0x4000_0000;

/** @throws HOLT_SOURCE_PROTOCOL when it is none, or one of another protocol version. */
export function decodeHandshake(payload: Buffer): ServerHandshake {
  const reader = new ByteReader(payload, 'handshake');
  const protocol = reader.uint8();
  if (protocol !== 10) throw protocolError(`the server greets with protocol ${protocol}; 10 is expected`);
  const versionText = reader.nullTerminated().toString('latin1');
  const threadId = reader.uint32();
  const nonceHead = reader.bytes(8);
  reader.skip(1);
  let capabilities = reader.uint16();
  let nonce = nonceHead;
  let authPlugin = '';
  if (reader.remaining > 0) {
    reader.skip(3);
    capabilities = (capabilities | (reader.uint16() << 16)) >>> 0;
    const nonceLength = reader.uint8();
    reader.skip(10);
    // The last byte of the second part is a terminating zero, not a part of the nonce.
    const nonceRest = reader.bytes(Math.min(reader.remaining, Math.max(13, nonceLength - 8)));
    nonce = Buffer.concat([nonceHead, nonceRest.subarray(0, nonceRest.length - 1)]);
    if ((capabilities & CAPABILITY.pluginAuth) !== 0) {
      const name = reader.rest();
      const end = name.indexOf(0);
      authPlugin = name.toString('latin1', 0, end < 0 ? name.length : end);
    }
  }
  const isMariadb = /mariadb/i.test(versionText) || (capabilities & CAPABILITY.longPassword) === 0;
  return {
    serverVersion: versionText.startsWith(MARIADB_PREFIX)
      ? versionText.slice(MARIADB_PREFIX.length)
      : versionText,
    flavour: isMariadb ? 'mariadb' : 'mysql',
    threadId,
    capabilities,
    nonce: Buffer.from(nonce),
    authPlugin,
  };
}

/** What we want, of what the server offers. */
export function chooseCapabilities(offered: number, tls: boolean): number {
  const wanted =
    CAPABILITY.longPassword |
    CAPABILITY.longFlag |
    CAPABILITY.protocol41 |
    CAPABILITY.transactions |
    CAPABILITY.secureConnection |
    CAPABILITY.pluginAuth |
    CAPABILITY.pluginAuthLenencData |
    CAPABILITY.connectAttributes |
    (tls ? CAPABILITY.ssl : 0);
  // LONG_PASSWORD says "MySQL protocol" and is sent whether or not a MariaDB server shows it.
  return ((wanted & offered) | CAPABILITY.longPassword) >>> 0;
}

export function encodeSslRequest(capabilities: number): Buffer {
  const payload = Buffer.alloc(32);
  payload.writeUInt32LE(capabilities, 0);
  payload.writeUInt32LE(MAX_PACKET_BYTES, 4);
  payload.writeUInt8(CHARSET, 8);
  return payload;
}

export interface HandshakeResponse {
  readonly capabilities: number;
  readonly user: string;
  readonly authPlugin: string;
  readonly authResponse: Buffer;
  /** Shown by the server in `performance_schema.session_connect_attrs`. */
  readonly attributes: Readonly<Record<string, string>>;
}

export function encodeHandshakeResponse(response: HandshakeResponse): Buffer {
  const { capabilities, authResponse } = response;
  const parts = [encodeSslRequest(capabilities), Buffer.from(`${response.user}\0`, 'utf8')];
  if ((capabilities & CAPABILITY.pluginAuthLenencData) !== 0)
    parts.push(lenencInteger(authResponse.length), authResponse);
  else parts.push(Buffer.from([authResponse.length]), authResponse);
  if ((capabilities & CAPABILITY.pluginAuth) !== 0)
    parts.push(Buffer.from(`${response.authPlugin}\0`, 'latin1'));
  if ((capabilities & CAPABILITY.connectAttributes) !== 0) {
    const pairs = Buffer.concat(
      Object.entries(response.attributes).flatMap(([name, value]) => [lenencText(name), lenencText(value)]),
    );
    parts.push(lenencInteger(pairs.length), pairs);
  }
  return Buffer.concat(parts);
}

function lenencText(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([lenencInteger(bytes.length), bytes]);
}

/** Up to 2^24; what is sent here is shorter by far. */
function lenencInteger(value: number): Buffer {
  if (value < 0xfb) return Buffer.from([value]);
  const bytes = Buffer.alloc(value < 0x1_0000 ? 3 : 4);
  bytes.writeUInt8(value < 0x1_0000 ? 0xfc : 0xfd, 0);
  bytes.writeUIntLE(value, 1, bytes.length - 1);
  return bytes;
}
