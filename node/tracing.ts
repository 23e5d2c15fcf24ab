/**
 * OpenTelemetry: a span for each batch and each of its stages, sent by OTLP over HTTP, when the configuration asks for it. Nothing of it
 * is loaded otherwise.
 *
 * The ids of a batch's trace follow from what names the batch, so that nodes of both sites make one trace without telling each other: the
 * batch's own span has an id that everybody knows, and the stages' spans are below it. Spans have figures and names, and nothing of a row.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { BatchHeader } from '../model/batch.ts';
import type { TracingConfig } from '../model/config.ts';
import type { TaskStage } from '../model/stage.ts';

export interface BatchTracer {
  /** A stage of this node has done its work on a batch, just now. */
  worked(pipeline: string, stage: TaskStage, header: BatchHeader, workMs: number): void;
  /** Sends what waits, for a few seconds at most. */
  close(): Promise<void>;
}

export interface TracerOptions {
  readonly tracing: TracingConfig;
  readonly cluster: string;
  readonly node: string;
  readonly site: string;
  readonly release: string;
  readonly clock: Clock;
  readonly log: Logger;
}

const SEND_EVERY_MS = 2_000;
const CLOSE_MS = 3_000;

/** Hex: of the trace, and of the span that all others of it are below. */
export function traceIds(
  cluster: string,
  pipeline: string,
  { tenure, seq }: Pick<BatchHeader, 'tenure' | 'seq'>,
): { readonly trace: string; readonly root: string } {
  const hash = createHash('sha256').update(`${cluster}\0${pipeline}\0${tenure}\0${seq}`).digest('hex');
  return { trace: hash.slice(0, 32), root: hash.slice(32, 48) };
}

/** The same for all spans of a trace, whoever makes them. */
export function isSampled(trace: string, ratio: number): boolean {
  return Number.parseInt(trace.slice(0, 8), 16) < ratio * 2 ** 32;
}

export async function openTracer(options: TracerOptions): Promise<BatchTracer> {
  const [api, { BasicTracerProvider, BatchSpanProcessor, RandomIdGenerator }, exporters, resources] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace-base'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
  const { tracing, cluster, node, site, release, clock, log } = options;
  const authorization = tracing.authorization?.resolve();
  const random = new RandomIdGenerator();
  /** Of the span that is made next; null for one below another. */
  let given: { readonly trace: string; readonly root: string } | null = null;
  const exporter = new exporters.OTLPTraceExporter({
    url: tracing.endpoint,
    headers: authorization === undefined ? {} : { authorization },
    timeoutMillis: 5_000,
  });
  const provider = new BasicTracerProvider({
    resource: resources.resourceFromAttributes({
      'service.name': 'holt',
      'service.namespace': cluster,
      'service.version': release,
      'service.instance.id': node,
      'holt.site': site,
    }),
    idGenerator: {
      generateTraceId: () => given?.trace ?? random.generateTraceId(),
      generateSpanId: () => given?.root ?? random.generateSpanId(),
    },
    spanProcessors: [
      new BatchSpanProcessor(exporter, {
        scheduledDelayMillis: SEND_EVERY_MS,
        maxQueueSize: 4096,
        maxExportBatchSize: 512,
      }),
    ],
  });
  const tracer = provider.getTracer('holt', release);
  const attributesOf = (pipeline: string, header: BatchHeader) => ({
    'holt.pipeline': pipeline,
    'holt.epoch': header.epoch,
    'holt.seq': header.seq,
    'holt.part': header.part,
    'holt.origin': header.origin,
    'holt.rows': header.rows,
    'holt.transactions': header.transactions,
    'holt.bytes': header.payload.bytes,
  });
  const span = (
    name: string,
    attributes: Record<string, string | number>,
    fromMs: number,
    toMs: number,
    parent: Parameters<typeof tracer.startSpan>[2],
  ) => tracer.startSpan(name, { startTime: Math.min(fromMs, toMs), attributes }, parent).end(toMs);
  return {
    worked(pipeline, stage, header, workMs) {
      const ids = traceIds(cluster, pipeline, header);
      if (!isSampled(ids.trace, tracing.ratio)) return;
      const nowMs = clock.nowMs();
      const attributes = attributesOf(pipeline, header);
      const below = api.trace.setSpanContext(api.ROOT_CONTEXT, {
        traceId: ids.trace,
        spanId: ids.root,
        traceFlags: api.TraceFlags.SAMPLED,
        isRemote: true,
      });
      // By the source's clock where it begins: the page of clocks tells how far that one is apart.
      const committedMs = header.firstCommitUs / 1000;
      if (stage === 'extract') span('select', attributes, committedMs, header.selectedMs, below);
      span(stage, { ...attributes, 'holt.node': node }, nowMs - workMs, nowMs, below);
      if (stage !== 'load' || !header.lastPart) return;
      given = ids;
      try {
        span('batch', attributes, committedMs, nowMs, api.ROOT_CONTEXT);
      } finally {
        given = null;
      }
    },
    async close() {
      const late = new AbortController();
      const ended = provider.shutdown().catch((error: unknown) => {
        log.debug({ event: 'tracing:close:failed', err: error }, 'the last spans were not sent');
      });
      await Promise.race([ended, clock.sleep(CLOSE_MS, late.signal).catch(() => {})]);
      late.abort();
    },
  };
}
