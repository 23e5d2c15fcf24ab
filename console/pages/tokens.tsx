/** API tokens: made with no more than one may do oneself, shown once, revoked at once. */
import { useState } from 'preact/hooks';
import type { Role } from '../../node/access/role.ts';
import type { NewTokenView, TokenView } from '../../node/api/views.ts';
import { change, getAll } from '../api/client.ts';
import { type Confirmation, ConfirmDialog } from '../components/confirm-dialog.tsx';
import { Copyable } from '../components/copyable.tsx';
import { FormDialog } from '../components/form-dialog.tsx';
import { Section } from '../components/page.tsx';
import { Empty, Loading, Notice, ProblemNotice } from '../components/problem.tsx';
import { Table, type TableColumn } from '../components/table.tsx';
import { Time } from '../components/time.tsx';
import { useResource } from '../live/resource.ts';
import { useMay } from '../session/session.ts';
import { RoleField } from './role-field.tsx';
import { scopeOf, scopeText } from './scope.ts';

/** `own`: only those of the account; administrators see all of them. */
export function Tokens({ title }: { readonly title: string }) {
  const { value, problem, again } = useResource('tokens', (signal) =>
    getAll<TokenView>('/tokens', {}, signal),
  );
  const [isMaking, setMaking] = useState(false);
  const [made, setMade] = useState<NewTokenView | null>(null);
  const [ask, setAsk] = useState<Confirmation | null>(null);
  const revoke = ({ id, name }: TokenView) =>
    setAsk({
      verb: 'Revoke',
      kind: 'token',
      object: name,
      reason: 'none',
      isDanger: true,
      done: `The token ${name} is revoked.`,
      children: 'Whatever uses it is refused from now on, at every node within two seconds.',
      async act() {
        await change('DELETE', `/tokens/${encodeURIComponent(id)}`);
        again();
      },
    });
  return (
    <Section
      title={title}
      aside={
        <button type="button" class="button button-small" onClick={() => setMaking(true)}>
          New token…
        </button>
      }
    >
      {made !== null && (
        <Notice
          tone="calm"
          title={`The token ${made.name}: it is shown this once.`}
          remedy="Put it where the program finds it, in a file that only that program may read."
          actions={
            <button type="button" class="button" onClick={() => setMade(null)}>
              I have it
            </button>
          }
        >
          <Copyable text={made.token} what="token" most={200} />
        </Notice>
      )}
      {problem !== null && <ProblemNotice problem={problem} again={again} />}
      {value === null && problem === null && <Loading what="tokens" />}
      {value !== null && (
        <Table
          label={title}
          rows={value}
          columns={columns(revoke)}
          rowKey={({ id }) => id}
          word="tokens"
          defaultSort="name"
          empty={<Empty title="No tokens">Programs that call the API, and the command line, need one.</Empty>}
        />
      )}
      {isMaking && (
        <NewToken
          close={() => setMaking(false)}
          done={(token) => {
            setMade(token);
            again();
          }}
        />
      )}
      {ask !== null && <ConfirmDialog ask={ask} close={() => setAsk(null)} />}
    </Section>
  );
}

function columns(revoke: (row: TokenView) => void): readonly TableColumn<TokenView>[] {
  return [
    { key: 'name', title: 'For', sort: ({ name }) => name, cell: ({ name }) => name },
    {
      key: 'user',
      title: 'Of',
      sort: ({ user }) => user,
      cell: ({ user }) => user ?? <span class="soft">nobody's account</span>,
    },
    { key: 'role', title: 'Role', sort: ({ role }) => role, cell: ({ role }) => role },
    {
      key: 'pipelines',
      title: 'Pipelines',
      cell: ({ pipelines }) => (pipelines === null ? 'all' : <code>{scopeText(pipelines)}</code>),
    },
    {
      key: 'used',
      title: 'Last used',
      sort: ({ lastUsedMs }) => lastUsedMs,
      cell: ({ lastUsedMs, lastUsedFrom }) =>
        lastUsedMs === null ? (
          <span class="soft">never</span>
        ) : (
          <>
            <Time ms={lastUsedMs} /> <span class="soft">{lastUsedFrom ?? ''}</span>
          </>
        ),
    },
    {
      key: 'expires',
      title: 'Ends',
      sort: ({ expiresMs }) => expiresMs,
      cell: ({ expiresMs }) =>
        expiresMs === null ? <span class="soft">never</span> : <Time ms={expiresMs} exact />,
    },
    {
      key: 'do',
      title: 'Actions',
      align: 'right',
      cell: (row) => (
        <button
          type="button"
          class="button button-small"
          aria-label={`Revoke token ${row.name}`}
          onClick={() => revoke(row)}
        >
          Revoke…
        </button>
      ),
    },
  ];
}

function NewToken({
  close,
  done,
}: {
  readonly close: () => void;
  readonly done: (made: NewTokenView) => void;
}) {
  const isAdmin = useMay('admin');
  const isOperator = useMay('operator');
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const [scope, setScope] = useState('');
  const [days, setDays] = useState('90');
  const most: Role = isAdmin ? 'admin' : isOperator ? 'operator' : 'viewer';
  return (
    <FormDialog
      title="New token"
      verb="Make the token"
      isReady={name.trim() !== '' && (days === '' || Number(days) > 0)}
      close={close}
      act={async () => {
        done(
          await change<NewTokenView>('POST', '/tokens', {
            name: name.trim(),
            role,
            pipelines: scopeOf(scope),
            expiresInDays: days === '' ? null : Number(days),
          }),
        );
      }}
    >
      <label class="field">
        <span>What it is for</span>
        <input
          value={name}
          maxLength={128}
          required
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <RoleField role={role} most={most} choose={setRole} />
      <label class="field">
        <span>
          Pipelines <span class="hint">names or patterns such as orders-*; empty for all</span>
        </span>
        <input value={scope} spellcheck={false} onInput={(event) => setScope(event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>
          Days until it ends <span class="hint">empty: it does not</span>
        </span>
        <input
          type="number"
          min="1"
          max="3650"
          value={days}
          onInput={(event) => setDays(event.currentTarget.value)}
        />
      </label>
    </FormDialog>
  );
}
