import { describe, expect, it } from 'vitest';
import { dumpError } from '../../../../canal/source/dump-error.ts';

/** Texts as the servers give them. */
const CASES: readonly (readonly [errno: number, message: string, code: string, disposition: string])[] = [
  [
    1236,
    'Could not find first log file name in binary log index file',
    'HOLT_SOURCE_POSITION_PURGED',
    'pause',
  ],
  [
    1236,
    'Cannot replicate because the source purged required binary logs. Replicate the missing transactions from elsewhere, or provision a new replica from backup.',
    'HOLT_SOURCE_POSITION_PURGED',
    'pause',
  ],
  [
    1236,
    'The slave is connecting using CHANGE MASTER TO MASTER_AUTO_POSITION = 1, but the master has purged binary logs containing GTIDs that the slave requires.',
    'HOLT_SOURCE_POSITION_PURGED',
    'pause',
  ],
  [
    1236,
    'Could not find GTID state requested by slave in any binlog files. Probably the slave state is too old and required binlog files have been purged.',
    'HOLT_SOURCE_POSITION_PURGED',
    'pause',
  ],
  [
    1236,
    "Error: connecting slave requested to start from GTID 0-999-1, which is not in the master's binlog. Since the master's binlog contains GTIDs with higher sequence numbers, it probably means that the slave has diverged due to executing extra erroneous transactions",
    'HOLT_SOURCE_POSITION_FOREIGN',
    'pause',
  ],
  [
    1236,
    "Slave has more GTIDs than the master has, using the master's SERVER_UUID.",
    'HOLT_SOURCE_POSITION_FOREIGN',
    'pause',
  ],
  [
    1236,
    'Client requested source to start replication from position > file size',
    'HOLT_SOURCE_POSITION_FOREIGN',
    'pause',
  ],
  [
    1236,
    'The replication sender thread cannot start in AUTO_POSITION mode: this server has GTID_MODE = OFF instead of ON.',
    'HOLT_SOURCE_POSITION_FOREIGN',
    'pause',
  ],
  [
    1236,
    'A slave with the same server_uuid/server_id as this slave has connected to the master; the first event was…',
    'HOLT_SOURCE_SERVER_ID',
    'retry',
  ],
  [
    4052,
    'A slave with the same server_uuid/server_id is already connected',
    'HOLT_SOURCE_SERVER_ID',
    'retry',
  ],
  [
    1236,
    'log event entry exceeded max_allowed_packet; Increase max_allowed_packet on master',
    'HOLT_SOURCE_PACKET_TOO_LARGE',
    'pause',
  ],
  [1236, 'Binary log is not open', 'HOLT_SOURCE_BINLOG_OFF', 'pause'],
  [1236, 'I/O error reading log event', 'HOLT_SOURCE_SQL', 'retry'],
  [
    1227,
    'Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s)',
    'HOLT_SOURCE_GRANT',
    'retry',
  ],
  [1053, 'Server shutdown in progress', 'HOLT_SOURCE_LINK_LOST', 'retry'],
];

describe('dumpError', () => {
  it.each(CASES)('%i %s', (errno, message, code, disposition) => {
    const error = dumpError({ errno, sqlState: 'HY000', message }, { file: 'binlog.000003', offset: 99 });
    expect(error).toMatchObject({ code, disposition });
    expect(error.message).toContain(message);
  });
});
