/**
 * Transactions (`MultiOperationRecord`, `MultiResponse`): operations one after another, each behind a header, closed
 * by a header that says done.
 *
 *     MultiHeader { int type; boolean done; int err; }
 *
 * In an answer every operation has a header and a result. If one failed, all of them have the type of an error and
 * `ErrorResult { int err; }`: 0 before the one that failed, its code there, -2 (runtimeInconsistency) after it.
 *
 * Servers turn the `create2` of a transaction into `create`, whose result is the path alone. The czxid then comes from
 * the header of the answer: a server executes writes one at a time and in the order of their zxids (`CommitProcessor`), and the
 * header is made right after the execution with the last zxid executed (`FinalRequestProcessor`). Where the same transaction
 * has a `set`, its stat must agree.
 */
import type { Refusal } from '../../client/link.ts';
import type { MultiOp, MultiResult } from '../../tree.ts';
import { type AnswerContext, absolute, type CodecContext, encodeCreate, wireVersion } from './context.ts';
import { type JuteReader, type JuteWriter, WireError } from './jute.ts';
import { opCodes } from './op-code.ts';
import { kindOfServerCode, nameOfServerCode, serverCodes } from './server-code.ts';
import { readStat } from './stat.ts';

/** A whole transaction's no, found in the body of an answer whose header says 0. */
export class MultiRefusedError extends Error {
  override readonly name = 'MultiRefusedError';
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.kind);
    this.refusal = refusal;
  }
}

export function encodeMultiOps(writer: JuteWriter, ops: readonly MultiOp[], context: CodecContext): void {
  for (const op of ops) {
    switch (op.op) {
      case 'check':
        header(writer, opCodes.check).string(absolute(op.path, context)).int(wireVersion(op.version));
        break;
      case 'create':
        encodeCreate(header(writer, opCodes.create), op, context);
        break;
      case 'set':
        header(writer, opCodes.setData)
          .string(absolute(op.path, context))
          .buffer(op.data)
          .int(wireVersion(op.version));
        break;
      case 'remove':
        header(writer, opCodes.delete).string(absolute(op.path, context)).int(wireVersion(op.version));
        break;
      default:
        op satisfies never;
    }
  }
  writer.int(-1).bool(true).int(-1);
}

/** @throws MultiRefusedError when an operation failed, WireError when the answer does not fit the operations */
export function decodeMultiReply(
  reader: JuteReader,
  answer: AnswerContext,
  ops: readonly MultiOp[],
): readonly MultiResult[] {
  const results: MultiResult[] = [];
  for (let index = 0; ; index++) {
    const type = reader.int();
    const isDone = reader.bool();
    reader.int();
    if (isDone) {
      if (results.length !== ops.length)
        throw new WireError(`${results.length} results for a transaction of ${ops.length} operations`);
      return results;
    }
    switch (type) {
      case opCodes.check:
        results.push({ op: 'check' });
        break;
      case opCodes.create: {
        reader.string();
        const op = ops[index];
        const isEphemeral = op?.op === 'create' && op.ephemeral === true;
        const ephemeralOwner = isEphemeral ? answer.sessionId : null;
        results.push({ op: 'create', stat: { czxid: answer.zxid, version: 0, ephemeralOwner } });
        break;
      }
      case opCodes.create2:
        reader.string();
        results.push({ op: 'create', stat: readStat(reader) });
        break;
      case opCodes.setData: {
        const stat = readStat(reader);
        if (stat.mzxid !== answer.zxid)
          throw new WireError(`transaction ${stat.mzxid} answered with zxid ${answer.zxid}`);
        results.push({ op: 'set', stat });
        break;
      }
      case opCodes.delete:
        results.push({ op: 'remove' });
        break;
      case opCodes.error: {
        const serverCode = reader.int();
        if (serverCode !== serverCodes.ok)
          throw new MultiRefusedError({
            kind: kindOfServerCode(serverCode),
            serverCode,
            failedIndex: index,
            detail: nameOfServerCode(serverCode),
          });
        break;
      }
      default:
        throw new WireError(`result of type ${type} in a transaction`);
    }
  }
}

function header(writer: JuteWriter, type: number): JuteWriter {
  return writer.int(type).bool(false).int(-1);
}
