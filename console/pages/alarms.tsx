/** Alarms: what fires and what may come to, who was told, by which rules and where; and what one says to it. */
import { useState } from 'preact/hooks';
import { formatMs } from '../../model/figures.ts';
import type {
  AlarmChannelView,
  AlarmRuleView,
  AlarmView,
  ChannelTestView,
  NoticeView,
  SilenceView,
} from '../../node/alarms/alarm-views.ts';
import { change, getAll } from '../api/client.ts';
import { type Confirmation, ConfirmDialog } from '../components/confirm-dialog.tsx';
import { FormDialog } from '../components/form-dialog.tsx';
import { More } from '../components/more.tsx';
import { Page, Section } from '../components/page.tsx';
import { Empty, Loading, ProblemNotice } from '../components/problem.tsx';
import { Badge, type Tone } from '../components/state-badge.tsx';
import { Table, type TableColumn } from '../components/table.tsx';
import { Time } from '../components/time.tsx';
import { toastDone } from '../components/toast.tsx';
import { usePaged } from '../live/paged.ts';
import { useResource } from '../live/resource.ts';
import { Link } from '../router/router.tsx';
import { useMay } from '../session/session.ts';

const LOOK_MS = 1_000;
const HISTORY_MS = 5_000;

const TONES: Readonly<Record<AlarmView['severity'], Tone>> = {
  info: 'calm',
  warning: 'warn',
  critical: 'bad',
};

export function AlarmsPage() {
  const alarms = useResource('alarms', (signal) => getAll<AlarmView>('/alarms', {}, signal), LOOK_MS);
  const silences = useResource(
    'silences',
    (signal) => getAll<SilenceView>('/alarms/silences', {}, signal),
    HISTORY_MS,
  );
  const [ask, setAsk] = useState<Confirmation | null>(null);
  const [silencing, setSilencing] = useState<{ readonly rule: string; readonly subject: string } | null>(
    null,
  );
  const mayAct = useMay('operator');
  const again = () => {
    alarms.again();
    silences.again();
  };
  const acknowledge = ({ id, group }: AlarmView) =>
    setAsk({
      verb: 'Acknowledge',
      kind: 'alarm',
      object: id,
      reason: 'asked',
      done: `${group}: acknowledged.`,
      children: `Nothing of ${group} is told again, unless it gets worse. That it is over is told.`,
      async act(why) {
        await change('POST', `/alarms/${encodeURIComponent(id)}/ack`, { why });
        again();
      },
    });
  const end = ({ id, subjects }: SilenceView) =>
    setAsk({
      verb: 'End',
      kind: 'silence',
      object: subjects.join(', '),
      reason: 'none',
      done: 'The silence is over.',
      children: 'What fires and was kept back is told now.',
      async act() {
        await change('DELETE', `/alarms/silences/${encodeURIComponent(id)}`);
        again();
      },
    });
  return (
    <Page
      title="Alarms"
      about="What is wrong now, and who was told. Alarms with one cause are told as one."
      actions={
        mayAct && (
          <button type="button" class="button" onClick={() => setSilencing({ rule: '*', subject: '*' })}>
            Silence…
          </button>
        )
      }
    >
      <Section title="Now">
        {alarms.problem !== null && <ProblemNotice problem={alarms.problem} again={alarms.again} />}
        {alarms.value === null && alarms.problem === null && <Loading what="alarms" />}
        {alarms.value !== null && (
          <Table
            label="Alarms that fire or are pending"
            rows={alarms.value}
            columns={alarmColumns(
              mayAct
                ? { acknowledge, silence: ({ rule, subject }) => setSilencing({ rule, subject }) }
                : null,
            )}
            rowKey={({ id }) => id}
            word="now"
            defaultSort="state"
            empty={<Empty title="No alarm">Nothing that a rule looks for is wrong.</Empty>}
          />
        )}
      </Section>
      {silences.value !== null && silences.value.length > 0 && (
        <Section title="Silences">
          <Table
            label="Silences"
            rows={silences.value}
            columns={silenceColumns(mayAct ? end : null)}
            rowKey={({ id }) => id}
            word="silences"
            defaultSort="until"
          />
        </Section>
      )}
      <History />
      <Channels mayAct={mayAct} />
      <Rules />
      {ask !== null && <ConfirmDialog ask={ask} close={() => setAsk(null)} />}
      {silencing !== null && <NewSilence of={silencing} close={() => setSilencing(null)} done={again} />}
    </Page>
  );
}

interface AlarmActions {
  readonly acknowledge: (row: AlarmView) => void;
  readonly silence: (row: AlarmView) => void;
}

const URGENCY = { critical: 0, warning: 1, info: 2 } as const;

function alarmColumns(actions: AlarmActions | null): readonly TableColumn<AlarmView>[] {
  const columns: TableColumn<AlarmView>[] = [
    {
      key: 'state',
      title: 'State',
      sort: ({ state, severity }) => (state === 'firing' ? 0 : 10) + URGENCY[severity],
      cell: ({ state, severity, clearSinceMs }) =>
        state === 'pending' ? (
          <Badge tone="still">pending</Badge>
        ) : clearSinceMs === null ? (
          <Badge tone={TONES[severity]}>{severity}</Badge>
        ) : (
          <Badge tone="busy">clearing</Badge>
        ),
    },
    {
      key: 'text',
      title: 'What',
      class: 'col-alarm',
      sort: ({ text }) => text,
      cell: ({ text, code, ack, silence, group, pipeline }) => (
        <>
          {pipeline === null ? text : <Link to={`/pipelines/${pipeline}`}>{text}</Link>}
          {code !== null && (
            <>
              {' '}
              <code>{code}</code>
            </>
          )}
          <span class="soft">
            {' '}
            cause: {group}
            {ack !== null && `; acknowledged by ${ack.by}${ack.why === '' ? '' : `: ${ack.why}`}`}
            {silence !== null && '; silenced'}
          </span>
        </>
      ),
    },
    {
      key: 'stage',
      title: 'Stage',
      sort: ({ stage }) => stage,
      cell: ({ stage }) => stage ?? <span class="soft">–</span>,
    },
    {
      key: 'since',
      title: 'Since',
      sort: ({ sinceMs }) => sinceMs,
      cell: ({ sinceMs }) => <Time ms={sinceMs} />,
    },
  ];
  if (actions !== null)
    columns.push({
      key: 'do',
      title: 'Actions',
      align: 'right',
      cell: (row) => (
        <>
          {row.state === 'firing' && row.ack === null && (
            <button
              type="button"
              class="button button-small"
              aria-label={`Acknowledge ${row.id}`}
              onClick={() => actions.acknowledge(row)}
            >
              Acknowledge…
            </button>
          )}{' '}
          <button
            type="button"
            class="button button-small"
            aria-label={`Silence ${row.id}`}
            onClick={() => actions.silence(row)}
          >
            Silence…
          </button>
        </>
      ),
    });
  return columns;
}

function silenceColumns(end: ((row: SilenceView) => void) | null): readonly TableColumn<SilenceView>[] {
  const columns: TableColumn<SilenceView>[] = [
    {
      key: 'until',
      title: 'Until',
      sort: ({ untilMs }) => untilMs,
      cell: ({ untilMs }) => <Time ms={untilMs} exact />,
    },
    { key: 'rules', title: 'Rules', cell: ({ rules }) => <code>{rules.join(', ')}</code> },
    { key: 'about', title: 'About', cell: ({ subjects }) => <code>{subjects.join(', ')}</code> },
    { key: 'by', title: 'By', cell: ({ by }) => by },
    { key: 'why', title: 'Why', cell: ({ why }) => why },
  ];
  if (end !== null)
    columns.push({
      key: 'do',
      title: 'Actions',
      align: 'right',
      cell: (row) => (
        <button
          type="button"
          class="button button-small"
          aria-label={`End silence of ${row.subjects.join(', ')}`}
          onClick={() => end(row)}
        >
          End…
        </button>
      ),
    });
  return columns;
}

const NOTICE_WORDS = { firing: 'fired', worse: 'got worse', still: 'still', resolved: 'over' } as const;

function History() {
  const list = usePaged<NoticeView>('/alarms/history', {}, HISTORY_MS);
  return (
    <Section title="Told">
      {list.items === null && list.problem === null && <Loading what="the history" />}
      {list.items !== null && (
        <Table
          label="What was told"
          rows={list.items}
          columns={NOTICE_COLUMNS}
          rowKey={({ id }) => id}
          word="told"
          defaultSort="-at"
          empty={<Empty title="Nothing was told yet" />}
        />
      )}
      <More list={list} />
    </Section>
  );
}

const DELIVERY_TONES = { waiting: 'busy', delivered: 'good', failed: 'bad' } as const;

const NOTICE_COLUMNS: readonly TableColumn<NoticeView>[] = [
  { key: 'at', title: 'When', sort: ({ id }) => id, cell: ({ atMs }) => <Time ms={atMs} exact /> },
  {
    key: 'kind',
    title: 'What',
    cell: ({ kind, severity }) => (
      <Badge tone={kind === 'resolved' ? 'good' : TONES[severity]}>{NOTICE_WORDS[kind]}</Badge>
    ),
  },
  { key: 'title', title: 'Text', cell: ({ title, lines }) => <span title={lines.join('\n')}>{title}</span> },
  {
    key: 'deliveries',
    title: 'Told on',
    cell: ({ deliveries }) =>
      deliveries.length === 0 ? (
        <span class="soft">no channel</span>
      ) : (
        deliveries.map(({ channel, state, error }) => (
          <span key={channel} title={error ?? undefined}>
            <Badge tone={DELIVERY_TONES[state]}>
              {channel} {state}
            </Badge>{' '}
          </span>
        ))
      ),
  },
];

function Channels({ mayAct }: { readonly mayAct: boolean }) {
  const { value, problem, again } = useResource('alarm-channels', (signal) =>
    getAll<AlarmChannelView>('/alarms/channels', {}, signal),
  );
  const [result, setResult] = useState<ChannelTestView | null>(null);
  const [busy, setBusy] = useState<string | null>(null);
  const test = async (channel: string) => {
    setBusy(channel);
    setResult(null);
    try {
      const found = await change<ChannelTestView>(
        'POST',
        `/alarms/channels/${encodeURIComponent(channel)}/test`,
        {},
      );
      setResult(found);
      if (found.ok) toastDone(`${channel}: delivered in ${formatMs(found.tookMs)}.`);
    } catch (error) {
      setResult({
        channel,
        ok: false,
        tookMs: 0,
        error: error instanceof Error ? error.message : String(error),
      });
    } finally {
      setBusy(null);
    }
  };
  return (
    <Section title="Channels">
      {problem !== null && <ProblemNotice problem={problem} again={again} />}
      {value !== null && (
        <Table
          label="Channels"
          rows={value}
          columns={[
            { key: 'name', title: 'Channel', sort: ({ name }) => name, cell: ({ name }) => name },
            { key: 'kind', title: 'Kind', sort: ({ kind }) => kind, cell: ({ kind }) => kind },
            { key: 'severity', title: 'From severity', cell: ({ severity }) => severity },
            { key: 'to', title: 'To', cell: ({ to, signed }) => `${to}${signed ? ', signed' : ''}` },
            ...(mayAct
              ? [
                  {
                    key: 'do',
                    title: 'Actions',
                    align: 'right' as const,
                    cell: ({ name }: AlarmChannelView) => (
                      <button
                        type="button"
                        class="button button-small"
                        aria-label={`Send a test to ${name}`}
                        disabled={busy !== null}
                        onClick={() => void test(name)}
                      >
                        {busy === name ? 'One moment…' : 'Send a test'}
                      </button>
                    ),
                  },
                ]
              : []),
          ]}
          rowKey={({ name }) => name}
          word="channels"
          defaultSort="name"
          empty={
            <Empty title="No channel">
              Alarms are shown here and sent nowhere: alarms.channels of the configuration has none.
            </Empty>
          }
        />
      )}
      <p role="status">
        {result === null
          ? ''
          : result.ok
            ? `${result.channel}: delivered in ${formatMs(result.tookMs)}.`
            : `${result.channel}: not delivered: ${result.error}.`}
      </p>
    </Section>
  );
}

function Rules() {
  const { value, problem, again } = useResource('alarm-rules', (signal) =>
    getAll<AlarmRuleView>('/alarms/rules', {}, signal),
  );
  return (
    <Section title="Rules">
      {problem !== null && <ProblemNotice problem={problem} again={again} />}
      {value !== null && (
        <Table
          label="Rules"
          rows={value}
          columns={RULE_COLUMNS}
          rowKey={({ name }) => name}
          word="rules"
          defaultSort="name"
          empty={<Empty title="Alarms are off">alarms.enabled of the configuration is false.</Empty>}
        />
      )}
    </Section>
  );
}

const RULE_COLUMNS: readonly TableColumn<AlarmRuleView>[] = [
  { key: 'name', title: 'Rule', sort: ({ name }) => name, cell: ({ name }) => name },
  { key: 'when', title: 'When', sort: ({ when }) => when, cell: ({ when }) => when },
  { key: 'threshold', title: 'Threshold', align: 'right', cell: thresholdText },
  {
    key: 'for',
    title: 'For',
    align: 'right',
    sort: ({ forMs }) => forMs,
    cell: ({ forMs }) => (forMs === 0 ? 'at once' : formatMs(forMs)),
  },
  {
    key: 'severity',
    title: 'Severity',
    sort: ({ severity }) => URGENCY[severity],
    cell: ({ severity }) => <Badge tone={TONES[severity]}>{severity}</Badge>,
  },
  {
    key: 'about',
    title: 'About',
    cell: ({ subjects, except }) => (
      <code>{[...subjects, ...except.map((one) => `not ${one}`)].join(', ')}</code>
    ),
  },
  {
    key: 'during',
    title: 'During',
    cell: ({ during }) =>
      during.length === 0
        ? 'always'
        : during
            .map(
              ({ days, fromMinute, toMinute }) =>
                `${days.length === 7 ? '' : `${days.join(' ')} `}${timeText(fromMinute)}–${timeText(toMinute)}`,
            )
            .join(', '),
  },
  {
    key: 'channels',
    title: 'Channels',
    cell: ({ channels }) => channels.join(', ') || <span class="soft">none</span>,
  },
];

function timeText(minute: number): string {
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

function thresholdText({ when, threshold, withinMs }: AlarmRuleView): string {
  if (when === 'error') return '–';
  if (when === 'conflicts' || when === 'dead-letters') return `${threshold} in ${formatMs(withinMs)}`;
  return `${when === 'binlog' ? '< ' : ''}${formatMs(threshold)}`;
}

const SPANS = [
  { hours: 1, text: '1 hour' },
  { hours: 4, text: '4 hours' },
  { hours: 24, text: '1 day' },
  { hours: 24 * 7, text: '1 week' },
] as const;
const HOUR_MS = 3_600_000;

function NewSilence({
  of,
  close,
  done,
}: {
  readonly of: { readonly rule: string; readonly subject: string };
  readonly close: () => void;
  readonly done: () => void;
}) {
  const [rule, setRule] = useState(of.rule);
  const [subject, setSubject] = useState(of.subject);
  const [hours, setHours] = useState<number>(1);
  const [why, setWhy] = useState('');
  return (
    <FormDialog
      title="Silence alarms"
      verb="Silence them"
      isReady={rule.trim() !== '' && subject.trim() !== ''}
      close={close}
      act={async () => {
        await change('POST', '/alarms/silences', {
          rules: [rule.trim()],
          subjects: [subject.trim()],
          forMs: hours * HOUR_MS,
          why: why.trim(),
        });
        toastDone('They are shown, and not told.');
        done();
      }}
    >
      <label class="field">
        <span>
          Rule <span class="hint">name or pattern; * for all</span>
        </span>
        <input
          value={rule}
          spellcheck={false}
          required
          onInput={(event) => setRule(event.currentTarget.value)}
        />
      </label>
      <label class="field">
        <span>
          Pipeline, node or clock <span class="hint">name or pattern such as orders-*; * for all</span>
        </span>
        <input
          value={subject}
          spellcheck={false}
          required
          onInput={(event) => setSubject(event.currentTarget.value)}
        />
      </label>
      <label class="field">
        <span>For</span>
        <select value={hours} onChange={(event) => setHours(Number(event.currentTarget.value))}>
          {SPANS.map((one) => (
            <option key={one.hours} value={one.hours}>
              {one.text}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>
          Reason <span class="hint">optional; shown beside it and in the audit log</span>
        </span>
        <textarea
          rows={2}
          maxLength={500}
          value={why}
          onInput={(event) => setWhy(event.currentTarget.value)}
        />
      </label>
    </FormDialog>
  );
}
