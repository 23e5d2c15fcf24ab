import { afterAll, beforeAll, expect, it } from 'vitest';
import { KEY_CASES } from '../../cases/key-shapes/all-cases.ts';
import {
  type Cut,
  expectedOn,
  type KeyCase,
  type Pair,
  type RowImage,
  runsOn,
} from '../../cases/key-shapes/key-case.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { KeyCaseRun, type LoggedCase } from './key-case-run.ts';

/** Every key-shape case on one pair of servers, with one kind of row images, cut into batches in several ways. */
export function describeKeyShapes(options: {
  readonly pair: Pair;
  readonly image: RowImage;
  /** More cuts than one batch, and a batch a transaction. */
  readonly everyCut?: boolean;
  /** Rows go as events of the binlog wherever they may. */
  readonly rowEvents?: boolean;
}): void {
  const { pair, image, everyCut = false, rowEvents = false } = options;
  const cases = KEY_CASES.filter((one) => runsOn(one, pair) && (one.images ?? [image]).includes(image));
  describeWithOwn(
    [...new Set([pair.source, pair.target])],
    `key shapes, ${pair.source} → ${pair.target}, ${image} images${rowEvents ? ', as events' : ''}`,
    () => {
      let run: KeyCaseRun;
      let logged: readonly LoggedCase[] = [];
      beforeAll(async () => {
        run = await KeyCaseRun.on(pair, rowEvents);
        logged = await run.logged(cases, image);
      }, 600_000);
      afterAll(() => run?.[Symbol.asyncDispose]());

      for (const one of cases)
        it(`${one.shape}, ${one.name}: ${one.title}`, async () => {
          const mine = logged.find((other) => other.one === one);
          if (mine === undefined) throw new Error('the case was not logged');
          if (mine.failure !== null) throw mine.failure;
          for (const cut of cutsOf(one, everyCut)) {
            const applied = await run.apply(mine, cut);
            const expected = expectedOn(one, pair);
            const seen = { cut, refused: applied.refused, ledger: applied.ledger };
            switch (expected.kind) {
              case 'equal':
                expect({ ...seen, differences: await run.differences(mine, applied) }).toEqual({
                  cut,
                  refused: null,
                  ledger: [],
                  differences: [],
                });
                if (one.mayBeCareful !== true)
                  expect({ cut, careful: applied.careful }).toEqual({ cut, careful: [] });
                break;
              case 'ledger':
                expect(seen).toEqual({ cut, refused: null, ledger: expected.entries });
                expect((await run.differences(mine, applied)).length === 0).toBe(expected.equal);
                break;
              case 'refused':
                expect(seen).toEqual({ cut, refused: expected.code, ledger: [] });
                break;
              default:
                expected satisfies never;
            }
          }
        }, 120_000);
    },
  );
}

function cutsOf(one: KeyCase, everyCut: boolean): readonly Cut[] {
  const count = one.transactions.length;
  const every = Array.from({ length: Math.max(0, count - 1) }, (_, i) => ({ after: i + 1 }));
  if (count < 2) return ['one batch'];
  return ['one batch', 'a batch a transaction', ...(everyCut ? every : [])];
}
