import { COMMAND } from './protocol.ts';

/** `03 · statement`. Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query.html. */
export function encodeQuery(sql: string | Buffer): Buffer {
  return Buffer.concat([
    Buffer.from([COMMAND.query]),
    typeof sql === 'string' ? Buffer.from(sql, 'utf8') : sql,
  ]);
}
