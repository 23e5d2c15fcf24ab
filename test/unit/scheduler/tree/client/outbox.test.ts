import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../../lib/clock.ts';
import type { LinkOp } from '../../../../../scheduler/tree/client/link.ts';
import { Outbox } from '../../../../../scheduler/tree/client/outbox.ts';
import { HeldLink } from './held-link.ts';

const none = Buffer.alloc(0);
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

  it('says when an answered request was sent, not when it was called or answered', async () => {
    let nowMs = 100;
    const answered: (readonly [LinkOp, number])[] = [];
    const timed = new Outbox({
      clock: { ...systemClock, monotonicMs: () => nowMs },
      onDone: () => {},
      onSent: () => {},
      onAnswered: (op, sentAtMs) => answered.push([op, sentAtMs]),
      onSessionExpired: () => {},
    });
    const calls = [
      timed.submit('set', { path: '/1', data: none, version: 0 }, options),
      failure(timed.submit('set', { path: '/2', data: none, version: 0 }, options)),
    ];
    nowMs = 200;
    timed.attach(link, 1);
    nowMs = 900;
    link.sent[0]?.ok();
    link.sent[1]?.no();
    await Promise.all(calls);
    expect(answered).toEqual([
      ['set', 200],
      ['set', 200],
    ]);
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
