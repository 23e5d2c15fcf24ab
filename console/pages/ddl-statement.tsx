/** One schema change: its text at both ends, and a person's word where nobody else can tell whether it ran. */
import { useState } from 'preact/hooks';
import type { DdlDetailView } from '../../node/operations.ts';
import { change, get } from '../api/client.ts';
import { type Confirmation, ConfirmDialog } from '../components/confirm-dialog.tsx';
import { Copyable } from '../components/copyable.tsx';
import { Facts, Page, Section } from '../components/page.tsx';
import { Loading, Notice, ProblemNotice } from '../components/problem.tsx';
import { TextBlock } from '../components/text-block.tsx';
import { useResource } from '../live/resource.ts';
import type { PageProps } from '../pages.ts';
import { pathOf } from '../router/route.ts';
import { useMay } from '../session/session.ts';
import { DdlState } from './ddl.tsx';

const AGAIN_MS = 5_000;

export function DdlStatementPage({ params: { name = '', id = '' } }: PageProps) {
  const path = `${pathOf('pipelines', name)}/ddl/${encodeURIComponent(id)}`;
  const { value, problem, again } = useResource(
    path,
    (signal) => get<DdlDetailView>(path, undefined, signal),
    AGAIN_MS,
  );
  const [ask, setAsk] = useState<Confirmation | null>(null);
  const mayAct = useMay('operator');
  const settle = (ran: boolean) =>
    setAsk({
      verb: 'Settle',
      kind: 'statement',
      object: id,
      reason: 'none',
      isDanger: true,
      done: `Statement ${id} is settled. Resume the pipeline where it is paused.`,
      children: ran ? (
        <>
          <strong>You say that it ran.</strong> The statement is not sent again, and what comes after it is
          applied to the tables as they are. If it did not run after all, the target lacks the change.
        </>
      ) : (
        <>
          <strong>You say that it did not run.</strong> The statement is sent again when the pipeline goes on.
          If it ran after all, it is done twice, or fails.
        </>
      ),
      async act() {
        await change('POST', `${path}/settle`, { ran });
        again();
      },
    });
  return (
    <Page
      title={`Schema change ${id}`}
      heading={
        <>
          Schema change {id} {value !== null && <DdlState state={value.state} />}
        </>
      }
      crumbs={[
        { to: `/ddl?pipeline=${encodeURIComponent(name)}`, text: 'Schema changes' },
        { to: pathOf('pipelines', name), text: name },
      ]}
      actions={
        value?.state === 'open' &&
        mayAct && (
          <>
            <button type="button" class="button" onClick={() => settle(false)}>
              It did not run…
            </button>
            <button type="button" class="button" onClick={() => settle(true)}>
              It ran…
            </button>
          </>
        )
      }
    >
      {problem !== null && <ProblemNotice problem={problem} again={again} />}
      {value === null && problem === null && <Loading what="the statement" />}
      {value?.state === 'open' && (
        <Notice
          title="It was begun, and its end is not written."
          remedy="While its connection lives it says so by itself. Otherwise look at the tables it names, and say here whether it ran; then resume the pipeline."
        />
      )}
      {value !== null && (
        <>
          <div class="columns">
            <Section title="As the source has it">
              <TextBlock text={value.statement} what="source's statement" />
            </Section>
            <Section title="As it is sent to the target">
              <TextBlock text={value.sent} what="sent statement" />
            </Section>
          </div>
          <Section title="How it went">
            <div class="card two-columns">
              <Facts
                facts={[
                  ['Kind', value.kind],
                  [
                    'Begun, UTC',
                    <span key="a" class="figure">
                      {value.at}
                    </span>,
                  ],
                  [
                    'Ended, UTC',
                    <span key="e" class="figure">
                      {value.settledAt ?? '–'}
                    </span>,
                  ],
                  ['Ended by', value.settledBy ?? '–'],
                  ['How it is known', value.why ?? '–'],
                  ['At the source', <Copyable key="s" text={value.sourceRef} what="reference" />],
                  ['First made at', value.origin],
                  [
                    'Default schema',
                    value.defaultSchema === '' ? '–' : <code key="d">{value.defaultSchema}</code>,
                  ],
                  [
                    'Connection at the target',
                    <span key="c" class="figure">
                      {value.connectionId}
                    </span>,
                  ],
                  [
                    "Place in the target's log before it",
                    value.log === null ? '–' : <Copyable key="l" text={value.log} what="place" />,
                  ],
                  [
                    'GTID of its own',
                    value.ownGtid === null ? '–' : <Copyable key="g" text={value.ownGtid} what="GTID" />,
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
