/** What the node that leads a pipeline says of its reading, asked by those who wait. */
import { z } from 'zod';
import type { PeerQuestion } from '../api/peers.ts';
import type { SelectReport } from '../status/node-report.ts';
import type { ReadSoFar } from './arrivals.ts';

export const READ_QUESTION: PeerQuestion<{ pipeline: string }, { read: ReadSoFar | null }> = {
  name: 'read-so-far',
  question: z.strictObject({ pipeline: z.string() }),
  answer: z.strictObject({ read: z.strictObject({ position: z.string(), isBusy: z.boolean() }).nullable() }),
};

/** Of what a node says of its share of Select at one moment; null where it does not read. */
export function readSoFar(select: SelectReport | null): ReadSoFar | null {
  if (select?.lag == null) return null;
  const { flights, pending } = select.lag;
  return { position: select.position, isBusy: flights.length > 0 || pending !== null };
}
