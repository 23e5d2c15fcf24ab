/** One change that was not applied as it came: what it was, what was found, side by side, and what can be done about it. */
import { useState } from 'preact/hooks';
import type { LedgerDetailView } from '../../node/operations.ts';
import { change, get } from '../api/client.ts';
import { type Confirmation, ConfirmDialog } from '../components/confirm-dialog.tsx';
import { Copyable } from '../components/copyable.tsx';
import { Facts, Page, Section } from '../components/page.tsx';
import { Loading, Notice, ProblemNotice } from '../components/problem.tsx';
import { useResource } from '../live/resource.ts';
import type { PageProps } from '../pages.ts';
import { pathOf } from '../router/route.ts';
import { useMay } from '../session/session.ts';
import { LedgerState } from './ledger.tsx';
import { kindWords } from './ledger-kinds.ts';

export function LedgerEntryPage({ params: { name = '', id = '' } }: PageProps) {
  const path = `${pathOf('pipelines', name)}/errors/${encodeURIComponent(id)}`;
  const { value, problem, again } = useResource(path, (signal) =>
    get<LedgerDetailView>(path, undefined, signal),
  );
  const [ask, setAsk] = useState<Confirmation | null>(null);
  const mayAct = useMay('operator');
  const done = (confirmation: Omit<Confirmation, 'act'>, act: (why: string) => Promise<unknown>) =>
    setAsk({
      ...confirmation,
      async act(why) {
        await act(why);
        again();
      },
    });
  const replay = () =>
    done(
      {
        verb: 'Replay',
        kind: 'entry',
        object: id,
        reason: 'none',
        done: `Entry ${id} is replayed.`,
        children: (
          <>
            The kept change is applied now, once, in a transaction of its own: the row in{' '}
            <code>{value?.table}</code> becomes what the source made it. What stands there now is lost.
          </>
        ),
      },
      () => change('POST', `${path}/replay`, {}),
    );
  const close = () =>
    done(
      {
        verb: 'Close',
        kind: 'entry',
        object: id,
        reason: 'needed',
        done: `Entry ${id} is closed.`,
        children:
          'What stands at the target shall stand. The entry stays with its images, and may still be replayed.',
      },
      (why) => change('POST', `${path}/close`, { why }),
    );
  const words = kindWords(value?.code ?? '');
  return (
    <Page
      title={`Entry ${id}`}
      heading={
        <>
          Entry {id} {value !== null && <LedgerState status={value.status} />}
        </>
      }
      crumbs={[
        { to: `/ledger?pipeline=${encodeURIComponent(name)}`, text: 'Conflicts and dead letters' },
        { to: pathOf('pipelines', name), text: name },
      ]}
      about={value === null ? undefined : words.means}
      actions={
        value !== null &&
        mayAct &&
        value.status !== 'replayed' && (
          <>
            {value.status === 'open' && (
              <button type="button" class="button" onClick={close}>
                Close…
              </button>
            )}
            <button type="button" class="button button-primary" onClick={replay}>
              Replay…
            </button>
          </>
        )
      }
    >
      {problem !== null && <ProblemNotice problem={problem} again={again} />}
      {value === null && problem === null && <Loading what="the entry" />}
      {value !== null && (
        <>
          <Notice
            tone={value.status === 'open' ? 'warn' : 'calm'}
            title={sentence(value.why)}
            code={value.code}
          >
            <p>
              {value.decision === 'source'
                ? "The source's version was made true."
                : "The target's version stands."}{' '}
              {value.status !== 'open' && `It was ${value.state}.`}
            </p>
          </Notice>
          <Images entry={value} />
          <Section title="Where it came from">
            <div class="card two-columns">
              <Facts
                facts={[
                  ['Table at the target', <code key="t">{value.table}</code>],
                  ['Change', value.op],
                  ['First made at', value.origin],
                  [
                    'Transaction',
                    value.gtid === '' ? (
                      'not named by the source'
                    ) : (
                      <Copyable key="g" text={value.gtid} what="transaction" />
                    ),
                  ],
                  [
                    'Written, UTC',
                    <span key="w" class="figure">
                      {value.at}
                    </span>,
                  ],
                  [
                    'Position behind its batch',
                    value.position === null ? (
                      '–'
                    ) : (
                      <Copyable key="p" text={value.position} what="position" />
                    ),
                  ],
                ]}
              />
            </div>
          </Section>
        </>
      )}
      {ask !== null && <ConfirmDialog ask={ask} close={() => setAsk(null)} />}
    </Page>
  );
}

/** The ledger's words begin small, since programs put them behind a colon. */
function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

type Image = LedgerDetailView['before'];

function Images({ entry: { before, after, found } }: { readonly entry: LedgerDetailView }) {
  const columns = [...new Set([before, after, found].flatMap((one) => Object.keys(one ?? {})))];
  /** What the change would make of the row: its after image; for a delete there is none. */
  const wanted = after;
  const differs = (name: string) => wanted?.[name] !== found?.[name];
  const count = columns.filter(differs).length;
  return (
    <Section
      title="The row, side by side"
      aside={
        wanted === null || found === null
          ? undefined
          : `${count} of ${columns.length} columns differ between the change and the target`
      }
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls where it is wide, and must with the keyboard, too. */}
      <section class="table-frame" tabIndex={0} aria-label="Images of the row">
        <table class="table images" aria-label="The row, side by side">
          <thead>
            <tr>
              <th scope="col">Column</th>
              <th scope="col">Source, before</th>
              <th scope="col">Source, after</th>
              <th scope="col">
                <span class="visually-hidden">Compared</span>
              </th>
              <th scope="col">Found at the target</th>
            </tr>
          </thead>
          <tbody>
            {columns.map((name) => (
              <tr key={name} class={differs(name) ? 'differs' : undefined}>
                <th scope="row">
                  <code>{name}</code>
                </th>
                <Cell image={before} name={name} none="no row" />
                <Cell
                  image={after}
                  name={name}
                  none="row is deleted"
                  isChanged={before !== null && after !== null && before[name] !== after[name]}
                />
                <td class="compared">
                  {differs(name) ? (
                    <>
                      <span aria-hidden="true">≠</span>
                      <span class="visually-hidden">differs from</span>
                    </>
                  ) : (
                    <>
                      <span aria-hidden="true">=</span>
                      <span class="visually-hidden">equals</span>
                    </>
                  )}
                </td>
                <Cell image={found} name={name} none="no row" />
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </Section>
  );
}

function Cell({
  image,
  name,
  none,
  isChanged = false,
}: {
  readonly image: Image;
  readonly name: string;
  readonly none: string;
  readonly isChanged?: boolean;
}) {
  if (image === null) return <td class="soft">{none}</td>;
  if (!(name in image)) return <td class="soft">not in the log</td>;
  const value = image[name] ?? null;
  return (
    <td class={isChanged ? 'changed' : undefined}>
      {value === null ? <span class="null">NULL</span> : <code class="value">{value}</code>}
    </td>
  );
}
