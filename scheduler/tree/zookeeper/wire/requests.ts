/**
 * Bodies of requests and answers, one codec for each operation of the tree (`zookeeper.jute` of 3.8, module
 * `org.apache.zookeeper.proto`). A request is header, body; an answer is header and, if `err` is 0, body:
 *
 *     RequestHeader { int xid; int type; }        ReplyHeader { int xid; long zxid; int err; }
 */
import type { LinkOp, Replies, Requests } from '../../client/link.ts';
import { type AnswerContext, absolute, type CodecContext, encodeCreate, wireVersion } from './context.ts';
import type { JuteReader, JuteWriter } from './jute.ts';
import { decodeMultiReply, encodeMultiOps } from './multi.ts';
import { opCodes } from './op-code.ts';
import { readStat } from './stat.ts';

interface Codec<K extends LinkOp> {
  readonly code: number;
  encode(writer: JuteWriter, request: Requests[K], context: CodecContext): void;
  decode(reader: JuteReader, answer: AnswerContext, request: Requests[K]): Replies[K];
}

const nothing = (): undefined => undefined;

export const codecs: { readonly [K in LinkOp]: Codec<K> } = {
  /** `GetDataRequest { ustring path; boolean watch; }` → `GetDataResponse { buffer data; Stat stat; }` */
  get: {
    code: opCodes.getData,
    encode: (writer, { path, watch }, context) => writer.string(absolute(path, context)).bool(watch),
    decode: (reader) => ({ data: reader.buffer(), stat: readStat(reader) }),
  },
  /** `ExistsRequest { ustring path; boolean watch; }` → `ExistsResponse { Stat stat; }` */
  exists: {
    code: opCodes.exists,
    encode: (writer, { path, watch }, context) => writer.string(absolute(path, context)).bool(watch),
    decode: (reader) => readStat(reader),
  },
  /** `GetChildren2Request { ustring path; boolean watch; }` → `GetChildren2Response { vector<ustring> children; Stat stat; }` */
  children: {
    code: opCodes.getChildren2,
    encode: (writer, { path, watch }, context) => writer.string(absolute(path, context)).bool(watch),
    decode: (reader) => ({ names: reader.strings().sort(), stat: readStat(reader) }),
  },
  /** `CreateRequest { ustring path; buffer data; vector<ACL> acl; int flags; }` → `Create2Response { ustring path; Stat stat; }` */
  create: {
    code: opCodes.create2,
    encode: encodeCreate,
    decode: (reader) => {
      reader.string();
      return readStat(reader);
    },
  },
  /** `SetDataRequest { ustring path; buffer data; int version; }` → `SetDataResponse { Stat stat; }` */
  set: {
    code: opCodes.setData,
    encode: (writer, { path, data, version }, context) =>
      writer.string(absolute(path, context)).buffer(data).int(wireVersion(version)),
    decode: (reader) => readStat(reader),
  },
  /** `DeleteRequest { ustring path; int version; }` → nothing */
  remove: {
    code: opCodes.delete,
    encode: (writer, { path, version }, context) =>
      writer.string(absolute(path, context)).int(wireVersion(version)),
    decode: nothing,
  },
  multi: {
    code: opCodes.multi,
    encode: (writer, { ops }, context) => encodeMultiOps(writer, ops, context),
    decode: (reader, answer, { ops }) => decodeMultiReply(reader, answer, ops),
  },
  /** `SyncRequest { ustring path; }` → `SyncResponse { ustring path; }` */
  sync: {
    code: opCodes.sync,
    encode: (writer, { path }, context) => writer.string(absolute(path, context)),
    decode: nothing,
  },
  ping: { code: opCodes.ping, encode: () => {}, decode: nothing },
  /** `RemoveWatchesRequest { ustring path; int type; }` → nothing; type 1 children, 2 data */
  unwatch: {
    code: opCodes.removeWatches,
    encode: (writer, { path, kind }, context) =>
      writer.string(absolute(path, context)).int(kind === 'children' ? 1 : 2),
    decode: nothing,
  },
};
