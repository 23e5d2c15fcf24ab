import { COMMAND } from './protocol.ts';

export interface ReplicaRegistration {
  readonly serverId: number;
  /** Shown by SHOW REPLICAS; at most 60 bytes. */
  readonly host: string;
}

/**
 * Makes us visible in SHOW REPLICAS (SHOW SLAVE HOSTS) until the connection ends.
 *
 *     15 · u32 server id · u8-prefixed host · u8-prefixed user · u8-prefixed password · u16 port · u32 rank · u32 source id
 *
 * User and password would be shown to others, and are left empty; rank and source id are 0.
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_register_slave.html.
 */
export function encodeRegisterReplica(registration: ReplicaRegistration): Buffer {
  const host = Buffer.from(registration.host, 'latin1').subarray(0, 60);
  const payload = Buffer.alloc(1 + 4 + 1 + host.length + 1 + 1 + 2 + 4 + 4);
  payload.writeUInt8(COMMAND.registerReplica, 0);
  payload.writeUInt32LE(registration.serverId, 1);
  payload.writeUInt8(host.length, 5);
  host.copy(payload, 6);
  return payload;
}
