/** The job queues of this node, and of all nodes. */
import { z } from 'zod';
import type { JobQueue } from '../jobs/job-queue.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { PeerQuestion, Peers } from './api/peers.ts';
import { type QueuesView, type QueueView, queueView } from './operations.ts';

export const QUEUES_QUESTION: PeerQuestion<Record<string, never>, { queues: QueueView[] }> = {
  name: 'queues',
  question: z.strictObject({}),
  answer: z.object({ queues: z.array(queueView) }),
};

interface NamedQueue {
  readonly name: string;
  readonly kept: 'redis' | 'memory';
  readonly queue: Pick<JobQueue<unknown>, 'counts'>;
}

export class Queues {
  readonly #node: string;
  readonly #log: Logger;
  readonly #queues: NamedQueue[] = [];

  constructor(options: { readonly node: string; readonly log: Logger }) {
    this.#node = options.node;
    this.#log = options.log;
  }

  add(queue: NamedQueue): void {
    this.#queues.push(queue);
  }

  async own(): Promise<{ queues: QueueView[] }> {
    return { queues: await Promise.all(this.#queues.map((one) => this.#view(one))) };
  }

  async all(peers: Pick<Peers, 'askAll'>): Promise<QueuesView> {
    const { answers, silent } = await peers.askAll(QUEUES_QUESTION, {}, () => this.own());
    return { items: [...answers.values()].flatMap(({ queues }) => queues), silent };
  }

  async #view({ name, kept, queue }: NamedQueue): Promise<QueueView> {
    const head = { node: this.#node, queue: name, kept };
    try {
      return { ...head, ...(await queue.counts()) };
    } catch (error) {
      this.#log.debug(
        { event: 'jobs:counts:failed', queue: name, reason: messageOf(error) },
        'the jobs of a queue could not be counted',
      );
      return { ...head, waiting: null, active: null, delayed: null, failed: null, completed: null };
    }
  }
}
