import type { Answer, Link, LinkOp, Replies, Requests } from '../../../../../scheduler/tree/client/link.ts';

const none = Buffer.alloc(0);
const stat = {
  czxid: 1n,
  mzxid: 1n,
  pzxid: 1n,
  ctimeMs: 0,
  mtimeMs: 0,
  version: 0,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: null,
  dataLength: 0,
  numChildren: 0,
};

interface Sent {
  readonly op: LinkOp;
  readonly path: string;
  ok(): void;
  no(): void;
}

/** A link that keeps what is sent on it for the test to answer. */
export class HeldLink implements Link {
  readonly server = 'held';
  readonly ticket = { sessionId: '0x1', password: none, timeoutMs: 1_000 };
  readonly grantedAtMs = 0;
  readonly sent: Sent[] = [];

  send<K extends LinkOp>(op: K, args: Requests[K], answer: Answer<Replies[K]>): void {
    const reply = (op === 'get' ? { data: none, stat } : stat) as Replies[K];
    this.sent.push({
      op,
      path: args.path,
      ok: () => answer.ok(reply),
      no: () => answer.no({ kind: 'bad-version' }),
    });
  }

  destroyed: string | undefined;

  rearm(): void {}
  async endSession(): Promise<void> {}
  destroy(reason: string): void {
    this.destroyed = reason;
  }

  get paths(): readonly string[] {
    return this.sent.map(({ op, path }) => `${op} ${path}`);
  }
}
