import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { literalSecret } from '../../../conf/secret.ts';
import { waitFor } from '../../../lib/abort.ts';
import { systemClock } from '../../../lib/clock.ts';
import { silentLogger } from '../../../lib/logger.ts';
import { type BatchTracer, isSampled, openTracer, traceIds } from '../../../node/tracing.ts';
import { headerOf } from '../../support/batch-header.ts';

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
}
interface Sent {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly Span[] }[] }[];
}

const spans: Span[] = [];
const headers: IncomingHttpHeaders[] = [];
const receiver = createServer((request, response) => {
  let text = '';
  request.on('data', (data) => {
    text += String(data);
  });
  request.on('end', () => {
    headers.push(request.headers);
    for (const one of (JSON.parse(text) as Sent).resourceSpans)
      for (const scope of one.scopeSpans) spans.push(...scope.spans);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
});
const tracers: BatchTracer[] = [];
afterEach(async () => {
  for (const one of tracers.splice(0)) await one.close();
  receiver.closeAllConnections();
  receiver.close();
});

test('the stages of a batch at two nodes are one trace, below the span of the batch', async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/v1/traces`;
  const open = async (node: string) => {
    const tracer = await openTracer({
      tracing: { endpoint, authorization: literalSecret('Bearer of-the-collector'), ratio: 1 },
      ...{ cluster: 'test', node, site: 'east', release: '1.2.3', clock: systemClock, log: silentLogger },
    });
    tracers.push(tracer);
    return tracer;
  };
  const nowMs = systemClock.nowMs();
  const header = headerOf({ firstCommitUs: Math.round((nowMs - 200) * 1000), selectedMs: nowMs - 150 });
  const [source, target] = [await open('east-1'), await open('west-1')];
  source.worked('shop', 'extract', header, 10);
  target.worked('shop', 'transform', header, 20);
  target.worked('shop', 'load', header, 30);
  await source.close();
  await target.close();
  await waitFor(() => spans.length === 5, { timeoutMs: 30_000, what: 'five spans' });
  const { trace, root } = traceIds('test', 'shop', header);
  const batch = spans.find((one) => one.name === 'batch');
  expect(batch).toMatchObject({ traceId: trace, spanId: root });
  expect(batch?.parentSpanId ?? '').toBe('');
  const stages = spans.filter((one) => one.name !== 'batch');
  expect(stages.map((one) => one.name).sort()).toEqual(['extract', 'load', 'select', 'transform']);
  for (const one of stages) expect(one).toMatchObject({ traceId: trace, parentSpanId: root });
  const nanos = ({ startTimeUnixNano: from, endTimeUnixNano: to }: Span) => Number(BigInt(to) - BigInt(from));
  const load = stages.find((one) => one.name === 'load') ?? expect.fail();
  expect(nanos(load) / 1e6).toBeCloseTo(30, 0);
  expect(load.attributes).toContainEqual({ key: 'holt.node', value: { stringValue: 'west-1' } });
  expect(headers[0]?.authorization).toBe('Bearer of-the-collector');
});

test('a share of the traces is the same share at every node', () => {
  const ids = Array.from(
    { length: 2000 },
    (_, seq) => traceIds('test', 'shop', { ...headerOf({}), seq: String(seq) as never }).trace,
  );
  const taken = ids.filter((one) => isSampled(one, 0.25)).length;
  expect(taken).toBeGreaterThan(380);
  expect(taken).toBeLessThan(620);
  expect(ids.filter((one) => isSampled(one, 1))).toHaveLength(2000);
  expect(ids.filter((one) => isSampled(one, 0))).toHaveLength(0);
});
