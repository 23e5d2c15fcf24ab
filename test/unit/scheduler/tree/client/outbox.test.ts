import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../../lib/clock.ts';
import type { Answer, Link, LinkOp, Replies, Requests } from '../../../../../scheduler/tree/client/link.ts';
import { Outbox } from '../../../../../scheduler/tree/client/outbox.ts';

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
class HeldLink implements Link {
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

  rearm(): void {}
  async endSession(): Promise<void> {}
  destroy(): void {}

  get paths(): readonly string[] {
    return this.sent.map(({ op, path }) => `${op} ${path}`);
  }
}

describe('the outbox', () => {
  let outbox: Outbox;
  let link: HeldLink;
  let done: string[];
  beforeEach(() => {
    done = [];
    link = new HeldLink();
    outbox = new Outbox({
      clock: systemClock,
      onDone: (op, outcome, _, wasSent) => done.push(`${op} ${outcome} ${wasSent}`),
      onSent: () => {},
      onAnswered: () => {},
      onSessionExpired: () => {},
    });
  });

  const options = { deadlineMs: 5_000 };
  const get = (path: string, more: object = {}) =>
    outbox.submit('get', { path, watch: false }, { ...options, ...more });
  const set = (path: string, more: object = {}) =>
    outbox.submit('set', { path, data: none, version: 0 }, { ...options, ...more });
  const failure = (call: Promise<unknown>) => call.catch((error: unknown) => error);

  it('sends nothing without a link, then all in order', async () => {
    const calls = [get('/1'), set('/2'), get('/3')];
    expect(outbox.queued).toBe(3);
    outbox.attach(link, 1);
    expect(link.paths).toEqual(['get /1', 'set /2', 'get /3']);
    for (const sent of link.sent) sent.ok();
    await Promise.all(calls);
    expect(done).toEqual(['get ok true', 'set ok true', 'get ok true']);
  });

  it('sends reads again on the next link, in their place before what waited; writes in flight fail', async () => {
    outbox.attach(link, 1);
    const calls = [get('/1'), get('/3')];
    const write = failure(set('/2'));
    outbox.detach('cut');
    const later = set('/4');
    expect(await write).toMatchObject({ kind: 'connection-loss', outcomeUnknown: true });
    const next = new HeldLink();
    outbox.attach(next, 1);
    expect(next.paths).toEqual(['get /1', 'get /3', 'set /4']);
    for (const sent of next.sent) sent.ok();
    await Promise.all([...calls, later]);
  });

  it('fails all of a session that is over; only writes that were sent have an unknown outcome', async () => {
    outbox.attach(link, 1);
    const sentWrite = failure(set('/sent'));
    const sentRead = failure(get('/sent'));
    outbox.detach('cut');
    const queuedWrite = failure(set('/queued'));
    outbox.rejectAll('session-lost', 'over');
    expect(await sentWrite).toMatchObject({ kind: 'connection-loss', outcomeUnknown: true });
    expect(await sentRead).toMatchObject({ kind: 'session-lost', outcomeUnknown: false });
    expect(await queuedWrite).toMatchObject({ kind: 'session-lost', outcomeUnknown: false });
    outbox.attach(new HeldLink(), 2);
    const inFlight = failure(set('/in-flight'));
    outbox.rejectAll('session-lost', 'over');
    expect(await inFlight).toMatchObject({ kind: 'session-lost', outcomeUnknown: true });
  });

  it('sends nothing on a link whose session is over', () => {
    outbox.attach(link, 1);
    outbox.rejectAll('session-lost', 'over');
    void failure(get('/next-epoch'));
    expect(link.sent).toEqual([]);
    const next = new HeldLink();
    outbox.attach(next, 2);
    expect(next.paths).toEqual(['get /next-epoch']);
  });

  it('drops what wants another epoch than the link has', async () => {
    const call = failure(set('/old', { epoch: 1 }));
    outbox.attach(link, 2);
    expect(await call).toMatchObject({ kind: 'session-lost', outcomeUnknown: false });
    expect(link.sent).toEqual([]);
  });

  it('keeps the place of a request given up in flight until its answer comes', async () => {
    outbox.attach(link, 1);
    const controller = new AbortController();
    const call = failure(get('/1', { signal: controller.signal }));
    controller.abort(new Error('enough'));
    expect(await call).toMatchObject({ message: 'enough' });
    expect(outbox.inFlight).toBe(1);
    link.sent[0]?.ok();
    expect(outbox.inFlight).toBe(0);
    expect(done).toEqual(['get aborted true']);
  });

  it('does not send what was given up while it waited', async () => {
    const call = failure(set('/1', { deadlineMs: 5 }));
    expect(await call).toMatchObject({ kind: 'deadline', outcomeUnknown: false });
    expect(outbox.queued).toBe(0);
    outbox.attach(link, 1);
    expect(link.sent).toEqual([]);
  });

  it('does not send again a read that was given up', async () => {
    outbox.attach(link, 1);
    const call = failure(get('/1', { deadlineMs: 5 }));
    expect(await call).toMatchObject({ kind: 'deadline' });
    outbox.detach('cut');
    const next = new HeldLink();
    outbox.attach(next, 1);
    expect(next.sent).toEqual([]);
  });

  it('limits what is on the wire by number and by bytes', () => {
    outbox.attach(link, 1);
    for (let index = 0; index < 130; index++) void failure(get(`/${index}`));
    expect(link.sent.length).toBe(128);
    link.sent[0]?.ok();
    expect(link.sent.length).toBe(129);

    const large = new HeldLink();
    outbox.rejectAll('closed', 'next part');
    outbox.attach(large, 1);
    const data = Buffer.alloc(900_000);
    for (let index = 0; index < 10; index++)
      void failure(outbox.submit('set', { path: '/large', data, version: 0 }, options));
    expect(large.sent.length).toBe(4);
    large.sent[0]?.no();
    expect(large.sent.length).toBe(5);
  });
});
