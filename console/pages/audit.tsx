/** Who did what, when, from where, why and with what result, newest first. */
import { useState } from 'preact/hooks';
import type { AuditEntryView } from '../../node/api/views.ts';
import { More } from '../components/more.tsx';
import { Facts, Page } from '../components/page.tsx';
import { Empty, Loading } from '../components/problem.tsx';
import { Badge } from '../components/state-badge.tsx';
import { Choices } from '../components/table.tsx';
import { prettyJson, TextBlock } from '../components/text-block.tsx';
import { Time } from '../components/time.tsx';
import { usePaged } from '../live/paged.ts';
import { useQueryWord } from '../router/router.tsx';

const AGAIN_MS = 5_000;

export function AuditPage() {
  const [result] = useQueryWord('result', 'all');
  const [who] = useQueryWord('who');
  const [action] = useQueryWord('action');
  const [object] = useQueryWord('object');
  const list = usePaged<AuditEntryView>(
    '/audit',
    { result: result === 'all' ? null : result, who, action, object },
    AGAIN_MS,
  );
  const isFiltered = result !== 'all' || [who, action, object].some((one) => one !== '');
  return (
    <Page
      title="Audit log"
      about="Everything that was asked for and could change something, or showed row values. Nothing here can be changed."
    >
      <div class="toolbar">
        <Choices
          label="Which result"
          word="result"
          choices={[
            { value: 'all', label: 'All' },
            { value: 'done', label: 'Done' },
            { value: 'refused', label: 'Refused' },
            { value: 'failed', label: 'Failed' },
          ]}
        />
        <Exactly word="who" label="Who" placeholder="account" />
        <Exactly word="action" label="Action" placeholder="pausePipeline" />
        <Exactly word="object" label="Object" placeholder="pipeline" />
      </div>
      {list.items === null && list.problem === null && <Loading what="the audit log" />}
      {list.items !== null &&
        (list.items.length === 0 ? (
          <Empty title={isFiltered ? 'No such entries' : 'Nothing was done yet'}>
            {isFiltered ? 'Take a filter away to see others.' : undefined}
          </Empty>
        ) : (
          <Entries entries={list.items} />
        ))}
      <More list={list} />
    </Page>
  );
}

function Exactly({
  word,
  label,
  placeholder,
}: {
  readonly word: string;
  readonly label: string;
  readonly placeholder: string;
}) {
  const [text, setText] = useQueryWord(word);
  return (
    <label class="pick">
      <span>{label}</span>
      <input
        class="short-input"
        value={text}
        placeholder={placeholder}
        spellcheck={false}
        autocomplete="off"
        onChange={(event) => setText(event.currentTarget.value.trim())}
      />
    </label>
  );
}

const TONES = { done: 'good', refused: 'warn', failed: 'bad' } as const;

function Entries({ entries }: { readonly entries: readonly AuditEntryView[] }) {
  const [open, setOpen] = useState<string | null>(null);
  return (
    <div class="table-frame">
      <table class="table" aria-label="Audit log">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Who</th>
            <th scope="col">Action</th>
            <th scope="col">Object</th>
            <th scope="col">Reason</th>
            <th scope="col">Result</th>
            <th scope="col">
              <span class="visually-hidden">More</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {entries.map((one) => (
            <Entry
              key={one.id}
              entry={one}
              isOpen={open === one.id}
              toggle={() => setOpen(open === one.id ? null : one.id)}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Entry({
  entry,
  isOpen,
  toggle,
}: {
  readonly entry: AuditEntryView;
  readonly isOpen: boolean;
  readonly toggle: () => void;
}) {
  const { id, atMs, who, action, object, reason, result, code, detail, from, node, how } = entry;
  return (
    <>
      <tr>
        <td>
          <Time ms={atMs} exact />
        </td>
        <td>{who}</td>
        <td>
          <code>{action}</code>
        </td>
        <td>
          <span class="cut" title={object}>
            {object}
          </span>
        </td>
        <td>
          <span class="cut soft" title={reason}>
            {reason}
          </span>
        </td>
        <td>
          <Badge tone={TONES[result]}>{result}</Badge>
          {code !== null && <code class="code">{code}</code>}
        </td>
        <td class="right">
          <button
            type="button"
            class="button button-quiet button-small"
            aria-expanded={isOpen}
            aria-label={`${isOpen ? 'Less' : 'More'} about ${action} by ${who}`}
            onClick={toggle}
          >
            {isOpen ? 'Less' : 'More'}
          </button>
        </td>
      </tr>
      {isOpen && (
        <tr class="opened">
          <td colSpan={7}>
            <Facts
              facts={[
                ['Entry', <code key="i">{id}</code>],
                ['From', `${from}, at node ${node}`],
                ['Shown as', how],
                ['Reason', reason === '' ? 'none was given' : reason],
              ]}
            />
            <TextBlock text={readable(detail)} what="what was asked for" />
          </td>
        </tr>
      )}
    </>
  );
}

/** What was cut is no JSON any more. */
function readable(detail: string): string {
  try {
    return prettyJson(JSON.parse(detail));
  } catch {
    return detail;
  }
}
