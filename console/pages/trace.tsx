/** Where is my row? The latest change of a key, and what has become of it. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { formatBytes, formatMs } from '../../model/figures.ts';
import type { OutcomeKind, TraceView } from '../../node/trace/trace.ts';
import { change, get } from '../api/client.ts';
import { type Problem, problemOf } from '../api/problem.ts';
import { Copyable } from '../components/copyable.tsx';
import { Duration } from '../components/figure.tsx';
import { Icon } from '../components/icon.tsx';
import { Facts, Page, Section } from '../components/page.tsx';
import { Empty, Notice, ProblemNotice } from '../components/problem.tsx';
import { clockText } from '../components/time.tsx';
import { live } from '../live/live.ts';
import { useStore } from '../live/store.ts';
import { pathOf } from '../router/route.ts';
import { Link, navigate } from '../router/router.tsx';
import {
  addressOf,
  HOUR_MS,
  isWhole,
  questionOf,
  requestOf,
  type TraceQuestion,
  valuesOf,
} from './trace-link.ts';

const RANGES: readonly (readonly [string, number])[] = [
  ['the last 15 minutes', HOUR_MS / 4],
  ['the last hour', HOUR_MS],
  ['the last 6 hours', 6 * HOUR_MS],
  ['the last day', 24 * HOUR_MS],
  ['the last 7 days', 7 * 24 * HOUR_MS],
];
const POLL_MS = 300;

const WORDS: Readonly<Record<OutcomeKind, { readonly word: string; readonly tone: string }>> = {
  applied: { word: 'Applied', tone: 'good' },
  'in-flight': { word: 'On its way', tone: 'busy' },
  'not-read': { word: 'Not read yet', tone: 'busy' },
  filtered: { word: 'Filtered out', tone: 'still' },
  'not-carried': { word: 'Not carried back', tone: 'still' },
  conflict: { word: 'Conflict', tone: 'warn' },
  'dead-letter': { word: 'Dead letter', tone: 'bad' },
  held: { word: 'Held', tone: 'warn' },
  prepared: { word: 'Prepared', tone: 'busy' },
  passed: { word: 'Passed', tone: 'none' },
};

interface Run {
  readonly trace: TraceView | null;
  readonly problem: Problem | null;
  readonly isOver: boolean;
}

const NONE: Run = { trace: null, problem: null, isOver: true };

export function TracePage() {
  const [asked] = useState(() => questionOf(location.search, location.hash));
  const [question, setQuestion] = useState(asked);
  const [run, setRun] = useState<Run>(NONE);
  const current = useRef<AbortController | null>(null);

  const start = (wanted: TraceQuestion) => {
    current.current?.abort();
    const controller = new AbortController();
    current.current = controller;
    // The same address asks the same question again.
    navigate(addressOf(wanted), { replace: true });
    setRun({ trace: null, problem: null, isOver: false });
    void follow(wanted, controller.signal, (next) => {
      if (!controller.signal.aborted) setRun(next);
    });
  };
  useEffect(() => {
    if (isWhole(asked)) start(asked);
    return () => current.current?.abort();
  }, []);

  return (
    <Page
      title="Trace"
      about="Where is my row? The latest change of a key, out of the log of the source, and what has become of it."
    >
      <TraceForm
        question={question}
        set={setQuestion}
        isRunning={!run.isOver}
        start={() => start(question)}
        cancel={() => {
          current.current?.abort();
          setRun(NONE);
        }}
      />
      <div aria-live="polite" aria-busy={!run.isOver}>
        {!run.isOver && <Searching trace={run.trace} />}
        {run.problem !== null && <ProblemNotice problem={run.problem} />}
        {run.isOver && run.trace !== null && <Told trace={run.trace} />}
      </div>
    </Page>
  );
}

/** Asks, and again until it is over; who leaves ends it at the node, too. */
async function follow(question: TraceQuestion, signal: AbortSignal, tell: (run: Run) => void): Promise<void> {
  const path = `/pipelines/${encodeURIComponent(question.pipeline)}/traces`;
  let trace: TraceView | null = null;
  try {
    trace = await change<TraceView>('POST', path, requestOf(question));
    const own = `${path}/${encodeURIComponent(trace.id)}`;
    const end = () => void change('DELETE', own).catch(() => {});
    if (signal.aborted) return end();
    signal.addEventListener('abort', end, { once: true });
    while (trace.state === 'running') {
      tell({ trace, problem: null, isOver: false });
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      trace = await get<TraceView>(own, {}, signal);
    }
    signal.removeEventListener('abort', end);
    tell({ trace, problem: null, isOver: true });
  } catch (error) {
    if (!signal.aborted) tell({ trace, problem: problemOf(error), isOver: true });
  }
}

interface FormProps {
  readonly question: TraceQuestion;
  readonly set: (question: TraceQuestion) => void;
  readonly isRunning: boolean;
  readonly start: () => void;
  readonly cancel: () => void;
}

function TraceForm({ question, set, isRunning, start, cancel }: FormProps) {
  const pipelines = useStore(live, (now) => now.pipelines);
  const names = (pipelines ?? []).map(({ pipeline }) => pipeline).sort();
  const [text, setText] = useState(question.values.join('\n'));
  const { pipeline, table, by, lastMs } = question;
  const first = names[0];
  useEffect(() => {
    if (pipeline === '' && first !== undefined && names.length === 1) set({ ...question, pipeline: first });
  }, [first]);
  const known = pipeline === '' || names.includes(pipeline) ? names : [pipeline, ...names];
  const ranges = RANGES.some(([, ms]) => ms === lastMs)
    ? RANGES
    : [...RANGES, [`the last ${formatMs(lastMs)}`, lastMs] as const];
  return (
    <form
      class="card trace-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (isWhole(question)) start();
      }}
    >
      <label class="field">
        <span>Pipeline</span>
        <select
          value={pipeline}
          required
          onChange={(event) => set({ ...question, pipeline: event.currentTarget.value })}
        >
          <option value="">Choose one</option>
          {known.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>
          Table <span class="hint">schema.table at the source</span>
        </span>
        <input
          value={table}
          required
          pattern="[^.]+[.].+"
          placeholder="shop.orders"
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => set({ ...question, table: event.currentTarget.value.trim() })}
        />
      </label>
      <label class="field">
        <span>Search by</span>
        <select
          value={by}
          onChange={(event) =>
            set({ ...question, by: event.currentTarget.value === 'where' ? 'where' : 'key' })
          }
        >
          <option value="key">its key</option>
          <option value="where">values of columns</option>
        </select>
      </label>
      <label class="field trace-values">
        <span>
          {by === 'key' ? 'Key' : 'Columns'}{' '}
          <span class="hint">
            {by === 'key'
              ? 'one value a line for a key of several columns; binary as 0x…'
              : 'column=value, one a line; a column alone is NULL'}
          </span>
        </span>
        <textarea
          rows={2}
          value={text}
          required
          spellcheck={false}
          placeholder={by === 'key' ? '4711' : 'what=paid'}
          onInput={(event) => {
            setText(event.currentTarget.value);
            set({ ...question, values: valuesOf(event.currentTarget.value) });
          }}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || event.shiftKey || !isWhole(question)) return;
            event.preventDefault();
            start();
          }}
        />
      </label>
      <label class="field">
        <span>How far back</span>
        <select
          value={String(lastMs)}
          onChange={(event) => set({ ...question, lastMs: Number(event.currentTarget.value) })}
        >
          {ranges.map(([name, ms]) => (
            <option key={ms} value={String(ms)}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <div class="trace-actions">
        {/* Two elements: one that turned from the one into the other in mid-click would send the form. */}
        {isRunning ? (
          <button key="stop" type="button" class="button" onClick={cancel}>
            <Icon name="stop" /> Stop
          </button>
        ) : (
          <button key="trace" type="submit" class="button button-primary" disabled={!isWhole(question)}>
            <Icon name="search" /> Trace
          </button>
        )}
      </div>
    </form>
  );
}

function Searching({ trace }: { readonly trace: TraceView | null }) {
  const { file = null, bytesRead = 0, bytesToRead = 0 } = trace?.progress ?? {};
  return (
    <div class="card trace-progress">
      <p>
        Searching {file === null ? 'the log' : <code>{file}</code>}
        {bytesToRead > 0 && (
          <span class="hint">
            {' '}
            {formatBytes(bytesRead)} of at most {formatBytes(bytesToRead)}
          </span>
        )}
      </p>
      <progress
        aria-label="How much of the log is read"
        max={Math.max(1, bytesToRead)}
        value={bytesToRead === 0 ? undefined : bytesRead}
      />
    </div>
  );
}

function Told({ trace }: { readonly trace: TraceView }) {
  const { error, change: found, outcome } = trace;
  if (error !== null)
    return <Notice tone="bad" title={error.message} code={error.code} remedy={error.remedy} />;
  return (
    <div class="trace-told">
      {found === null || outcome === null ? (
        <Empty title="No change of this key was found">
          {trace.searchedBackToMs === null
            ? 'The log says nothing of it.'
            : `The log was searched back to ${clockText(trace.searchedBackToMs)}.`}
        </Empty>
      ) : (
        <Found trace={trace} found={found} outcome={outcome} />
      )}
      <Presence trace={trace} />
      {trace.notes.length > 0 && (
        <Section title="What cannot be known from here">
          <ul class="trace-notes">
            {trace.notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </Section>
      )}
    </div>
  );
}

interface FoundProps {
  readonly trace: TraceView;
  readonly found: NonNullable<TraceView['change']>;
  readonly outcome: NonNullable<TraceView['outcome']>;
}

function Found({ trace, found, outcome }: FoundProps) {
  const { word, tone } = WORDS[outcome.kind];
  const { op, columns } = found;
  return (
    <>
      <section class={`card trace-outcome tone-${tone}`} aria-label="What has become of it">
        <h2>
          <span class="trace-word">{word}</span>
          {outcome.code !== null && <code class="code">{outcome.code}</code>}
        </h2>
        <p>{outcome.text}</p>
        {outcome.ledgerId !== null && (
          <p>
            <Link to={pathOf('ledger', trace.pipeline, outcome.ledgerId)}>
              Both images, and what was found: ledger entry {outcome.ledgerId}
            </Link>
          </p>
        )}
      </section>
      <Section title="The change">
        <div class="card">
          <Facts
            facts={[
              ['Change', columns.length === 0 ? op : `${op} of ${columns.join(', ')}`],
              ['Before', <Image key="before" image={found.keyBefore} />],
              ['After', <Image key="after" image={found.keyAfter} />],
              [
                'Committed',
                <span key="committed">
                  {clockText(found.commitMs)}
                  {!found.commitIsExact && <span class="hint"> the log says the second only</span>}
                  {found.origin !== null && <span class="hint"> by Holt, from {found.origin}</span>}
                </span>,
              ],
              ...(found.gtid === null
                ? []
                : ([['GTID', <Copyable key="gtid" text={found.gtid} what="GTID" />]] as const)),
              [
                'Place',
                <Copyable key="place" text={`${found.file}:${found.offset}`} what="place in the log" />,
              ],
              ...(outcome.batch === null
                ? []
                : ([
                    [
                      'Batch',
                      <BatchLink key="batch" trace={trace} batch={outcome.batch} atMs={outcome.appliedMs} />,
                    ],
                  ] as const)),
              ...(outcome.appliedMs === null ? [] : ([['Applied', clockText(outcome.appliedMs)]] as const)),
              ['At the target', trace.target ?? ''],
            ]}
          />
        </div>
      </Section>
      {trace.steps.length > 0 && <Steps steps={trace.steps} />}
    </>
  );
}

interface BatchLinkProps {
  readonly trace: TraceView;
  readonly batch: string;
  /** When it was applied: the history is searched there. */
  readonly atMs: number | null;
}

function BatchLink({ trace, batch, atMs }: BatchLinkProps) {
  const at = atMs === null ? '' : `?at=${Math.round(atMs)}`;
  return (
    <Link to={`${pathOf('pipelines', trace.pipeline, 'batches', batch)}${at}`}>{shortBatch(batch)}</Link>
  );
}

/** Without the zeros that make names of tasks order as text. */
const shortBatch = (id: string) => id.replace(/(?<![0-9])0+(?=[0-9])/g, '');

function Steps({ steps }: { readonly steps: TraceView['steps'] }) {
  const longest = Math.max(1, ...steps.map(({ tookMs }) => tookMs ?? 0));
  return (
    <Section title="Where its time went">
      <div class="table-frame">
        <table class="table trace-steps">
          <caption class="visually-hidden">Time in each stage</caption>
          <thead>
            <tr>
              <th scope="col">Stage</th>
              <th scope="col" class="right">
                Took
              </th>
              <th scope="col">
                <span class="visually-hidden">Share</span>
              </th>
              <th scope="col">Done</th>
              <th scope="col">Node</th>
            </tr>
          </thead>
          <tbody>
            {steps.map(({ stage, tookMs, doneMs, node }) => (
              <tr key={stage} class={doneMs === null ? 'is-here' : undefined}>
                <th scope="row">{stage}</th>
                <td class="right">
                  <Duration ms={tookMs} />
                </td>
                <td class="trace-share">
                  <span class="trace-bar" style={{ inlineSize: `${((tookMs ?? 0) / longest) * 100}%` }} />
                </td>
                <td>{doneMs === null ? 'not yet' : clockText(doneMs)}</td>
                <td>{node ?? ''}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}

function Image({ image }: { readonly image: Readonly<Record<string, string | null>> | null }) {
  if (image === null) return <span class="soft">none</span>;
  return (
    <span class="trace-image">
      {Object.entries(image).map(([name, value]) => (
        <code key={name}>
          {name} = {value ?? 'NULL'}
        </code>
      ))}
    </span>
  );
}

function Presence({ trace: { rowAt } }: { readonly trace: TraceView }) {
  if (rowAt.source === null && rowAt.target === null) return null;
  const say = (is: boolean | null) => (is === null ? 'not looked' : is ? 'there' : 'not there');
  return (
    <p class="soft">
      A row with this key now: at the source {say(rowAt.source)}, at the target {say(rowAt.target)}.
    </p>
  );
}
