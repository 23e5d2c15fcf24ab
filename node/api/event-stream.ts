/** Server-sent events over one answer: https://html.spec.whatwg.org/multipage/server-sent-events.html */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { OpenStream, SentEvent } from './route.ts';

/** A comment that often: proxies close what is silent. Whether the follower may still come is looked at then, too. */
const PING_MS = 15_000;
/** Who reads slower than this is cut off, and comes again with the last event he has. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;
/** Browsers come again after this. */
const RETRY_MS = 2_000;

export async function sendEvents(
  request: FastifyRequest,
  reply: FastifyReply,
  open: OpenStream,
  options: { readonly mayStay: () => Promise<boolean>; readonly log: Logger },
): Promise<FastifyReply> {
  const controller = new AbortController();
  const { raw } = reply;
  let close: (() => void) | null = null;
  const end = () => {
    controller.abort();
    close?.();
    close = null;
    raw.end();
  };
  request.raw.on('close', end);
  const early: SentEvent[] = [];
  let send = (event: SentEvent) => {
    early.push(event);
  };
  // A problem before the first byte is told as any other.
  close = await open((event) => send(event), controller.signal);
  if (controller.signal.aborted) {
    close();
    return reply;
  }
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) raw.setHeader(name, value as string | number | readonly string[]);
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  raw.write(`retry: ${RETRY_MS}\n\n`);
  send = ({ id, event, data }) => {
    if (raw.writableLength > MAX_UNSENT_BYTES) {
      end();
      return;
    }
    // An empty id would make a browser forget the one it has.
    const head = id === '' ? '' : `id: ${id}\n`;
    raw.write(`${head}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  for (const event of early) send(event);
  const ping = setInterval(() => {
    raw.write(': ping\n\n');
    options.mayStay().then(
      (may) => {
        if (!may) end();
      },
      (error: unknown) => {
        options.log.debug(
          { event: 'events:account:unknown', reason: messageOf(error) },
          'an account could not be looked at',
        );
      },
    );
  }, PING_MS);
  ping.unref();
  controller.signal.addEventListener('abort', () => clearInterval(ping), { once: true });
  return reply;
}
