/**
 * The event type codes that MySQL (to 9.7) and MariaDB (to 12.3) write, by name.
 *
 * Sources: MySQL `libs/mysql/binlog/event/binlog_event.h` (`enum Log_event_type`) and its documentation "Binlog Event",
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html; MariaDB knowledge base,
 * "Replication Protocol", https://mariadb.com/kb/en/replication-protocol/.
 */
export const EVENT_CODE = {
  unknown: 0,
  startV3: 1,
  query: 2,
  stop: 3,
  rotate: 4,
  intvar: 5,
  load: 6,
  slave: 7,
  createFile: 8,
  appendBlock: 9,
  execLoad: 10,
  deleteFile: 11,
  newLoad: 12,
  rand: 13,
  userVar: 14,
  formatDescription: 15,
  xid: 16,
  beginLoadQuery: 17,
  executeLoadQuery: 18,
  tableMap: 19,
  preGaWriteRows: 20,
  preGaUpdateRows: 21,
  preGaDeleteRows: 22,
  writeRowsV1: 23,
  updateRowsV1: 24,
  deleteRowsV1: 25,
  incident: 26,
  heartbeat: 27,
  ignorable: 28,
  rowsQuery: 29,
  writeRowsV2: 30,
  updateRowsV2: 31,
  deleteRowsV2: 32,
  gtid: 33,
  anonymousGtid: 34,
  previousGtids: 35,
  transactionContext: 36,
  viewChange: 37,
  xaPrepare: 38,
  partialUpdateRows: 39,
  transactionPayload: 40,
  heartbeatV2: 41,
  gtidTagged: 42,
  // MariaDB's own range
  mariadbAnnotateRows: 160,
  mariadbBinlogCheckpoint: 161,
  mariadbGtid: 162,
  mariadbGtidList: 163,
  mariadbStartEncryption: 164,
  mariadbQueryCompressed: 165,
  mariadbWriteRowsCompressedV1: 166,
  mariadbUpdateRowsCompressedV1: 167,
  mariadbDeleteRowsCompressedV1: 168,
  mariadbWriteRowsCompressedV2: 169,
  mariadbUpdateRowsCompressedV2: 170,
  mariadbDeleteRowsCompressedV2: 171,
  mariadbPartialRowData: 172,
} as const;

export type EventName = keyof typeof EVENT_CODE;

/** By code. */
const NAMES: (EventName | null)[] = Array.from({ length: 256 }, () => null);
for (const name of Object.keys(EVENT_CODE) as EventName[]) NAMES[EVENT_CODE[name]] = name;

/** The name of an event code; null for one that no server known to us writes. */
export function eventName(code: number): EventName | null {
  return NAMES[code] ?? null;
}
