/** What a node asks of another for its API: over the signed channel, each call with a deadline. */
import type { z } from 'zod';
import { HoltError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { NodeRegistry } from '../../scheduler/contract.ts';
import type { ChannelClient } from '../../stages/pipe/channel/channel-client.ts';
import type { ChannelRoute } from '../../stages/pipe/channel/channel-server.ts';

const ANSWER_MS = 5_000;

/** One question that every node answers for itself. */
export interface PeerQuestion<Q, A> {
  readonly name: string;
  readonly question: z.ZodType<Q>;
  readonly answer: z.ZodType<A>;
}

export interface Answers<A> {
  readonly answers: ReadonlyMap<string, A>;
  /** Nodes that are registered and did not answer. */
  readonly silent: readonly string[];
}

const targetOf = (name: string) => `/peer/v1/${name}`;

/** The answering side: entry for the channel's table of routes. */
export function peerRoute<Q, A>(
  { name, question, answer }: PeerQuestion<Q, A>,
  own: (question: Q) => Promise<A> | A,
): readonly [string, ChannelRoute] {
  return [
    `POST ${targetOf(name)}`,
    async ({ body }) => {
      const asked = question.parse(JSON.parse(body.toString('utf8')));
      return { kind: 'json', value: answer.parse(await own(asked)) };
    },
  ];
}

export class Peers {
  readonly #registry: NodeRegistry;
  readonly #client: ChannelClient;
  readonly #log: Logger;

  constructor(options: {
    readonly registry: NodeRegistry;
    readonly client: ChannelClient;
    readonly log: Logger;
  }) {
    this.#registry = options.registry;
    this.#client = options.client;
    this.#log = options.log;
  }

  get self(): string {
    return this.#registry.self.node;
  }

  /** @throws HoltError HOLT_NODE_UNKNOWN; what the channel throws when it does not answer. */
  async ask<Q, A>(node: string, { name, answer }: PeerQuestion<Q, A>, question: Q): Promise<A> {
    const presence = this.#registry.nodes.find((one) => one.node === node);
    if (presence === undefined)
      throw new HoltError('HOLT_NODE_UNKNOWN', `there is no node ${JSON.stringify(node)}`, {
        disposition: 'fatal',
        remedy: '`holt nodes list` shows those that are registered.',
      });
    const signal = AbortSignal.timeout(ANSWER_MS);
    return answer.parse(await this.#client.post(presence.address, targetOf(name), question, signal));
  }

  /** Every node's answer, `own` being ours. */
  async askAll<Q, A>(asked: PeerQuestion<Q, A>, question: Q, own: () => Promise<A> | A): Promise<Answers<A>> {
    const answers = new Map<string, A>();
    const silent: string[] = [];
    const others = this.#registry.nodes.filter((one) => one.node !== this.self);
    await Promise.all([
      (async () => answers.set(this.self, await own()))(),
      ...others.map(async ({ node }) => {
        try {
          answers.set(node, await this.ask(node, asked, question));
        } catch (error) {
          silent.push(node);
          this.#log.debug(
            { event: 'peer:silent', other: node, question: asked.name, reason: messageOf(error) },
            'a node did not answer a question of the API',
          );
        }
      }),
    ]);
    return { answers, silent: silent.sort() };
  }
}
