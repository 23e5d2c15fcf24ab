import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../../../../../lib/abort.ts';
import { EmbeddedServer } from '../../../../../scheduler/tree/embedded/embedded-server.ts';
import { embeddedTree } from '../../../../../scheduler/tree/embedded/embedded-tree.ts';
import type {
  Children,
  CoordinationTree,
  NodeValue,
  SessionEvent,
} from '../../../../../scheduler/tree/tree.ts';
import { isTreeError } from '../../../../../scheduler/tree/tree-error.ts';

const names = ['a', 'b', 'c'] as const;
type Harm = 'cut' | 'expire' | 'freeze' | 'lose';

type Command =
  | {
      readonly do: 'write';
      readonly name: (typeof names)[number];
      readonly what: 'create' | 'ephemeral' | 'set' | 'remove';
    }
  | { readonly do: 'harm'; readonly harm: Harm }
  | { readonly do: 'heal' }
  | { readonly do: 'pause'; readonly ms: number };

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      name: fc.constantFrom(...names),
      what: fc.constantFrom('create' as const, 'ephemeral' as const, 'set' as const, 'remove' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('harm' as const),
      harm: fc.constantFrom<Harm>('cut', 'expire', 'freeze', 'lose'),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'heal' } as const) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pause' as const), ms: fc.nat(30) }) },
);

describe('the embedded tree under random harm', () => {
  it('brings every watch to the state of the tree, and tells epochs in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40 }), async (commands) => {
        const server = new EmbeddedServer();
        const harmed = embeddedTree({ server, sessionTimeoutMs: 120 });
        const writer = embeddedTree({ server, sessionTimeoutMs: 60_000 });
        const runs = [harmed.run(), writer.run()];
        const events: SessionEvent[] = [];
        harmed.onState((event) => events.push(event));
        await writer.ensurePath('/t');
        await harmed.whenConnected();
        const data = new Map<string, string | null>();
        let listed: Children | null = null;
        for (const name of names)
          harmed.watchData(`/t/${name}`, (value: NodeValue | null) => {
            data.set(name, value === null ? null : `${value.stat.czxid} ${value.stat.mzxid}`);
          });
        harmed.watchChildren('/t', (value) => {
          listed = value;
        });
        const heal = () => {
          server.resume(harmed.sessionId);
          server.thaw(harmed.sessionId);
        };
        for (const step of commands) await act(step, { server, harmed, writer, heal });
        heal();
        await harmed.whenConnected();
        const state = async (tree: CoordinationTree) => {
          const found = await Promise.all(
            names.map(async (name) => [name, await tree.exists(`/t/${name}`)] as const),
          );
          return new Map(found.map(([name, stat]) => [name, stat && `${stat.czxid} ${stat.mzxid}`]));
        };
        await waitFor(
          async () => {
            const expected = await state(writer);
            const children = (await writer.children('/t'))?.names.join();
            return (
              names.every((name) => data.get(name) === expected.get(name)) &&
              listed?.names.join() === children
            );
          },
          { timeoutMs: 5_000, pollMs: 5, what: 'watches to show the tree' },
        );
        expect(harmed.counters.watchesMissed).toBe(0);
        const epochs = events.filter((event) => event.state === 'connected').map((event) => event.epoch);
        expect(epochs).toEqual([...epochs].sort((a, b) => a - b));
        for (const [index, event] of events.entries())
          if (event.state === 'lost') {
            // Nothing of this epoch after its end.
            const later = events.slice(index + 1).filter((next) => next.state === 'connected');
            expect(later.every((next) => next.epoch > event.epoch)).toBe(true);
          }
        await Promise.all([harmed.stop(), writer.stop()]);
        await Promise.all(runs);
        // Nothing ephemeral outlives the sessions.
        const left = server.paths().filter((path) => path.startsWith('/seda/barrier/'));
        expect(left).toEqual([]);
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});

interface Scene {
  readonly server: EmbeddedServer;
  readonly harmed: CoordinationTree;
  readonly writer: CoordinationTree;
  heal(): void;
}

async function act(step: Command, { server, harmed, writer, heal }: Scene): Promise<void> {
  switch (step.do) {
    case 'write': {
      const path = `/t/${step.name}`;
      try {
        if (step.what === 'ephemeral')
          await harmed.create(path, Buffer.alloc(0), { ephemeral: true, deadlineMs: 10 });
        else if (step.what === 'create') await writer.create(path, Buffer.alloc(0));
        else if (step.what === 'set') await writer.set(path, Buffer.alloc(1), 'any');
        else await writer.remove(path, 'any');
      } catch (error) {
        if (!isTreeError(error)) throw error;
      }
      return;
    }
    case 'harm':
      harm(server, harmed.sessionId, step.harm);
      return;
    case 'heal':
      heal();
      return;
    case 'pause':
      await new Promise((resolve) => setTimeout(resolve, step.ms));
      return;
    default:
      step satisfies never;
  }
}

function harm(server: EmbeddedServer, sessionId: string, kind: Harm): void {
  if (!server.has(sessionId)) return;
  if (kind === 'cut') server.suspend(sessionId);
  else if (kind === 'expire') server.expire(sessionId);
  else if (kind === 'freeze') server.freeze(sessionId);
  else server.loseNextReply(sessionId);
}
