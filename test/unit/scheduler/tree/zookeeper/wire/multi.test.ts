import { describe, expect, it } from 'vitest';
import type { MultiOp } from '../../../../../../scheduler/tree/tree.ts';
import { JuteReader, JuteWriter, WireError } from '../../../../../../scheduler/tree/zookeeper/wire/jute.ts';
import {
  decodeMultiReply,
  encodeMultiOps,
  MultiRefusedError,
} from '../../../../../../scheduler/tree/zookeeper/wire/multi.ts';

const context = { chroot: '', acl: [{ permissions: 31, scheme: 'world', id: 'anyone' }] };
const answer = { zxid: 42n, sessionId: '0x01' };
const ops: readonly MultiOp[] = [
  { op: 'check', path: '/a', version: 0 },
  { op: 'create', path: '/b', data: Buffer.from('x'), ephemeral: true },
  { op: 'remove', path: '/c', version: 'any' },
];

const done = (writer: JuteWriter) => writer.int(-1).bool(true).int(-1);
const header = (writer: JuteWriter, type: number) => writer.int(type).bool(false).int(0);

describe('transactions on the wire', () => {
  it('send version 0 as 0, and any as -1 (Z1)', () => {
    const writer = new JuteWriter();
    encodeMultiOps(writer, ops, context);
    const reader = new JuteReader(writer.bytes());
    const headerOf = () => [reader.int(), reader.bool(), reader.int()];
    expect(headerOf()).toEqual([13, false, -1]);
    expect([reader.string(), reader.int()]).toEqual(['/a', 0]);
    expect(headerOf()).toEqual([1, false, -1]);
    expect([reader.string(), reader.buffer().toString(), reader.int()]).toEqual(['/b', 'x', 1]);
    expect([reader.int(), reader.string(), reader.string(), reader.int()]).toEqual([
      31,
      'world',
      'anyone',
      1,
    ]);
    expect(headerOf()).toEqual([2, false, -1]);
    expect([reader.string(), reader.int()]).toEqual(['/c', -1]);
    expect(headerOf()).toEqual([-1, true, -1]);
    expect(reader.remaining).toBe(0);
  });

  it('give the czxid of what they made', () => {
    const writer = new JuteWriter();
    header(writer, 13);
    header(writer, 1).string('/b');
    done(header(writer, 2));
    expect(decodeMultiReply(new JuteReader(writer.bytes()), answer, ops)).toEqual([
      { op: 'check' },
      { op: 'create', stat: { czxid: 42n, version: 0, ephemeralOwner: '0x01' } },
      { op: 'remove' },
    ]);
  });

  it('say which operation failed, also with a code that nobody knows (Z7)', () => {
    for (const [code, kind] of [
      [-103, 'bad-version'],
      [-999, 'server-error'],
    ] as const) {
      const writer = new JuteWriter();
      header(writer, -1).int(0);
      header(writer, -1).int(code);
      done(header(writer, -1).int(-2));
      const decode = () => decodeMultiReply(new JuteReader(writer.bytes()), answer, ops);
      expect(decode).toThrow(MultiRefusedError);
      try {
        decode();
      } catch (error) {
        expect((error as MultiRefusedError).refusal).toMatchObject({
          kind,
          serverCode: code,
          failedIndex: 1,
        });
      }
    }
  });

  it('refuse answers that do not fit', () => {
    const short = done(header(new JuteWriter(), 13)).bytes();
    expect(() => decodeMultiReply(new JuteReader(short), answer, ops)).toThrow(WireError);
    const strange = done(header(new JuteWriter(), 77)).bytes();
    expect(() => decodeMultiReply(new JuteReader(strange), answer, ops)).toThrow(WireError);
    const stat = (writer: JuteWriter, zxid: bigint) =>
      writer.long(1n).long(zxid).long(0n).long(0n).int(1).int(0).int(0).long(0n).int(0).int(0).long(1n);
    const other = done(stat(header(new JuteWriter(), 5), 41n)).bytes();
    const set: readonly MultiOp[] = [{ op: 'set', path: '/a', data: Buffer.alloc(0), version: 0 }];
    expect(() => decodeMultiReply(new JuteReader(other), answer, set)).toThrow(/answered with zxid/);
  });
});
