/** The link as a process of its own, so that nobody's work makes it late; it ends with whoever started it. */
import { type Site, WanLink } from './wan-link.ts';

export type LinkRequest =
  | { readonly id: number; readonly do: 'open'; readonly clients: Site; readonly port: number }
  | { readonly id: number; readonly do: 'bytes' };

export interface LinkAnswer {
  readonly id: number;
  readonly port: number;
  readonly bytes: Readonly<Record<Site, number>>;
}

const [rttMs, mbitPerSecond] = process.argv.slice(2).map(Number);
if (rttMs === undefined || mbitPerSecond === undefined) throw new Error('usage: wan-process.ts RTT MBIT');
const link = new WanLink({ rttMs, mbitPerSecond });

process.on('disconnect', () => process.exit(0));
process.on('message', (request: LinkRequest) => {
  void (async () => {
    const port = request.do === 'open' ? await link.open(request.clients, request.port) : 0;
    process.send?.({ id: request.id, port, bytes: link.bytes } satisfies LinkAnswer);
  })();
});
