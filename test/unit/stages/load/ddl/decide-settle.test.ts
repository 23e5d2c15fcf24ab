import { describe, expect, it } from 'vitest';
import { decideSettle, type SettleEvidence } from '../../../../../stages/load/ddl/decide-settle.ts';

const OWN_GTID = ['executed', 'absent', 'none'] as const;
const LOG = ['found', 'absent', 'off', 'unreadable'] as const;
const TABLES = ['changed', 'same', 'unknown'] as const;
const FLAGS = [false, true] as const;

const ALL: readonly SettleEvidence[] = OWN_GTID.flatMap((ownGtid) =>
  LOG.flatMap((log) =>
    TABLES.flatMap((tables) =>
      FLAGS.flatMap((restarted) =>
        FLAGS.map((elsewhere) => ({ ownGtid, log, tables, restarted, elsewhere })),
      ),
    ),
  ),
);

const NOTHING: SettleEvidence = {
  ownGtid: 'none',
  log: 'unreadable',
  tables: 'unknown',
  restarted: false,
  elsewhere: false,
};

describe('settling a schema change', () => {
  it.each<readonly [string, Partial<SettleEvidence>, 'ran' | 'void' | 'ask']>([
    ['its GTID is executed', { ownGtid: 'executed' }, 'ran'],
    ['its GTID is executed, on another server too', { ownGtid: 'executed', elsewhere: true }, 'ran'],
    ['the log has it', { log: 'found' }, 'ran'],
    ['the log has it, and the tables look alike (TRUNCATE)', { log: 'found', tables: 'same' }, 'ran'],
    ['the log lacks it, tables as before', { log: 'absent', tables: 'same' }, 'void'],
    ['the log lacks it, tables cannot be seen', { log: 'absent' }, 'void'],
    ['the log lacks it, the tables changed', { log: 'absent', tables: 'changed' }, 'ask'],
    ['a crash, and nobody sees the tables', { log: 'absent', restarted: true }, 'ask'],
    ['a crash, tables as before', { log: 'absent', restarted: true, tables: 'same' }, 'void'],
    ['its GTID is absent, tables as before', { ownGtid: 'absent', tables: 'same' }, 'void'],
    ['its GTID is absent, the tables changed', { ownGtid: 'absent', tables: 'changed' }, 'ask'],
    ['failed over to a server without its GTID', { ownGtid: 'absent', elsewhere: true }, 'void'],
    ['failed over, without GTIDs', { elsewhere: true, tables: 'same' }, 'ask'],
    ['no log at all, tables changed', { log: 'off', tables: 'changed' }, 'ran'],
    ['no log at all, tables as before', { log: 'off', tables: 'same' }, 'void'],
    ['a purged log, tables as before', { tables: 'same' }, 'void'],
    ['a purged log, tables changed', { tables: 'changed' }, 'ask'],
    ['nothing to be seen', {}, 'ask'],
  ])('%s', (_, evidence, decision) => {
    expect(decideSettle({ ...NOTHING, ...evidence }).kind).toBe(decision);
  });

  it('never says that it ran without a trace, nor that it did not against one', () => {
    for (const evidence of ALL) {
      const { kind } = decideSettle(evidence);
      const trace = evidence.ownGtid === 'executed' || evidence.log === 'found';
      if (trace) expect(kind).toBe('ran');
      else if (kind === 'ran') expect(evidence).toMatchObject({ log: 'off', tables: 'changed' });
      if (kind === 'void' && !evidence.elsewhere) expect(evidence.tables).not.toBe('changed');
    }
    expect(ALL).toHaveLength(144);
  });
});
