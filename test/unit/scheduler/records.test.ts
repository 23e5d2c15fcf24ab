import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { batchHeader, loadReceipt } from '../../../model/batch.ts';
import { jsonRecord } from '../../../scheduler/record.ts';
import * as records from '../../../scheduler/records.ts';

const schemas = {
  batchHeader,
  loadReceipt,
  nodePresence: records.nodePresence,
  storedConfig: records.storedConfig,
  desiredRecord: records.desiredRecord,
  epochRecord: records.epochRecord,
  partProgress: records.partProgress,
  terminationRequest: records.terminationRequest,
  lockRecord: records.lockRecord,
  sourceRunning: records.sourceRunning,
  sourceTaking: records.sourceTaking,
  clientRunning: records.clientRunning,
  clientCursor: records.clientCursor,
};

const digestOf = (schema: z.ZodType): string =>
  createHash('sha256')
    .update(JSON.stringify(z.toJSONSchema(schema, { io: 'input' })))
    .digest('hex')
    .slice(0, 12);

describe('records of znodes', () => {
  it('have the shape that is out there: a change of one needs a new version of it', () => {
    const shapes = Object.fromEntries(
      Object.entries(schemas).map(([name, schema]) => [name, digestOf(schema)]),
    );
    expect(shapes).toMatchInlineSnapshot(`
      {
        "batchHeader": "3f65c089d74f",
        "clientCursor": "69e0ff56b252",
        "clientRunning": "d3a04a9cec31",
        "desiredRecord": "378be1d1f699",
        "epochRecord": "66a1198f11b9",
        "loadReceipt": "e048249ca064",
        "lockRecord": "d31b36f8e306",
        "nodePresence": "26deda8a2947",
        "partProgress": "f656a153d6a8",
        "sourceRunning": "6d75b02dd754",
        "sourceTaking": "c5f8894c7dc2",
        "storedConfig": "32cceb90854b",
        "terminationRequest": "0226d4f278f2",
      }
    `);
  });

  it('are written only if they can be read back', () => {
    const codec = jsonRecord(records.lockRecord);
    const lock = { version: 1 as const, node: 'n' as never, instance: 'i', sinceMs: 1 };
    expect(codec.decode(codec.encode(lock), '/p')).toEqual(lock);
    expect(() => codec.encode({ ...lock, instance: '' })).toThrow();
  });

  it.each([
    ['no JSON', '{'],
    ['another version', '{"version":2,"node":"n","instance":"i","sinceMs":1}'],
    ['a field too many', '{"version":1,"node":"n","instance":"i","sinceMs":1,"x":1}'],
    ['nothing', ''],
    ['null', 'null'],
  ])('say where foreign data lies: %s', (_, text) => {
    expect(() => jsonRecord(records.lockRecord).decode(Buffer.from(text), '/seda/x')).toThrow(
      expect.objectContaining({ code: 'HOLT_ZNODE_FOREIGN', facts: { path: '/seda/x' } }),
    );
  });

  it('do not repeat what lies there in the error', () => {
    const text = '{"version":1,"node":"secret-value","instance":5,"sinceMs":1}';
    try {
      jsonRecord(records.lockRecord).decode(Buffer.from(text), '/seda/x');
      expect.unreachable();
    } catch (error) {
      expect(String(error)).not.toContain('secret-value');
    }
  });

  it('read what Canal writes', () => {
    const running = '{"active":true,"address":"10.20.144.51:11111","cid":1}';
    expect(jsonRecord(records.sourceRunning).decode(Buffer.from(running), '/p')).toEqual({
      active: true,
      address: '10.20.144.51:11111',
      cid: 1,
    });
    const cursor =
      '{"@type":"com.alibaba.otter.canal.protocol.position.LogPosition","identity":{"slaveId":-1,"sourceAddress":{"address":"10.20.144.15","port":3306}},"postion":{"included":false,"journalName":"mysql-bin.002253","position":2574756,"timestamp":1363688722000}}';
    expect(jsonRecord(records.clientCursor).decode(Buffer.from(cursor), '/p').postion.position).toBe(2574756);
  });
});
