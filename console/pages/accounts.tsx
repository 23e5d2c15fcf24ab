/** Who may use the console and the API: accounts and every token. */
import { useState } from 'preact/hooks';
import type { Role } from '../../node/access/role.ts';
import type { UserView } from '../../node/api/views.ts';
import { change, getAll } from '../api/client.ts';
import { type Confirmation, ConfirmDialog } from '../components/confirm-dialog.tsx';
import { FormDialog } from '../components/form-dialog.tsx';
import { Page, Section } from '../components/page.tsx';
import { Loading, ProblemNotice } from '../components/problem.tsx';
import { Badge } from '../components/state-badge.tsx';
import { Table, type TableColumn } from '../components/table.tsx';
import { Time } from '../components/time.tsx';
import { useResource } from '../live/resource.ts';
import { RoleField } from './role-field.tsx';
import { scopeOf, scopeText } from './scope.ts';
import { Tokens } from './tokens.tsx';

type Form = { readonly kind: 'new' } | { readonly kind: 'change' | 'password'; readonly user: UserView };

export function AccountsPage() {
  const { value, problem, again } = useResource('users', (signal) => getAll<UserView>('/users', {}, signal));
  const [form, setForm] = useState<Form | null>(null);
  const [ask, setAsk] = useState<Confirmation | null>(null);
  const path = (user: UserView) => `/users/${encodeURIComponent(user.name)}`;
  const remove = (user: UserView) =>
    setAsk({
      verb: 'Delete',
      kind: 'account',
      object: user.name,
      reason: 'none',
      isDanger: true,
      mustType: true,
      done: `The account ${user.name} is deleted.`,
      children: 'Its logins and tokens end now. What it did stays in the audit log.',
      async act() {
        await change('DELETE', path(user));
        again();
      },
    });
  const able = (user: UserView) =>
    setAsk({
      verb: user.disabled ? 'Enable' : 'Disable',
      kind: 'account',
      object: user.name,
      reason: 'none',
      done: `The account ${user.name} is ${user.disabled ? 'enabled' : 'disabled'}.`,
      children: user.disabled
        ? 'It may log in again, with the role and password that it had.'
        : 'Its logins end now, and its tokens are refused, until it is enabled again.',
      async act() {
        await change('PATCH', path(user), { disabled: !user.disabled });
        again();
      },
    });
  return (
    <Page title="Accounts and tokens">
      <Section
        title="Accounts"
        aside={
          <button type="button" class="button button-small" onClick={() => setForm({ kind: 'new' })}>
            New account…
          </button>
        }
      >
        {problem !== null && <ProblemNotice problem={problem} again={again} />}
        {value === null && problem === null && <Loading what="accounts" />}
        {value !== null && (
          <Table
            label="Accounts"
            rows={value}
            columns={columns({
              change: (user) => setForm({ kind: 'change', user }),
              password: (user) => setForm({ kind: 'password', user }),
              able,
              remove,
            })}
            rowKey={({ name }) => name}
            defaultSort="name"
          />
        )}
      </Section>
      <Tokens title="Tokens of all" />
      {form !== null && (
        <AccountForm
          form={form}
          close={() => setForm(null)}
          act={async (wish) => {
            if (form.kind === 'new') await change('POST', '/users', wish);
            else await change('PATCH', path(form.user), wish);
            again();
          }}
        />
      )}
      {ask !== null && <ConfirmDialog ask={ask} close={() => setAsk(null)} />}
    </Page>
  );
}

interface Actions {
  change(user: UserView): void;
  password(user: UserView): void;
  able(user: UserView): void;
  remove(user: UserView): void;
}

function columns(actions: Actions): readonly TableColumn<UserView>[] {
  return [
    {
      key: 'name',
      title: 'Name',
      sort: ({ name }) => name,
      cell: ({ name, disabled }) => (
        <>
          <strong>{name}</strong> {disabled && <Badge tone="still">disabled</Badge>}
        </>
      ),
    },
    { key: 'role', title: 'Role', sort: ({ role }) => role, cell: ({ role }) => role },
    {
      key: 'pipelines',
      title: 'Pipelines',
      cell: ({ pipelines }) => (pipelines === null ? 'all' : <code>{scopeText(pipelines)}</code>),
    },
    {
      key: 'created',
      title: 'Made',
      sort: ({ createdMs }) => createdMs,
      cell: ({ createdMs, createdBy }) => (
        <>
          <Time ms={createdMs} /> <span class="soft">by {createdBy}</span>
        </>
      ),
    },
    {
      key: 'do',
      title: 'Actions',
      align: 'right',
      cell: (user) => (
        <span class="row-actions">
          <Small text="Change…" label={`Change account ${user.name}`} act={() => actions.change(user)} />
          <Small text="Password…" label={`Password of ${user.name}`} act={() => actions.password(user)} />
          <Small
            text={user.disabled ? 'Enable…' : 'Disable…'}
            label={`${user.disabled ? 'Enable' : 'Disable'} account ${user.name}`}
            act={() => actions.able(user)}
          />
          <Small text="Delete…" label={`Delete account ${user.name}`} act={() => actions.remove(user)} />
        </span>
      ),
    },
  ];
}

function Small({
  text,
  label,
  act,
}: {
  readonly text: string;
  readonly label: string;
  readonly act: () => void;
}) {
  return (
    <button type="button" class="button button-small" aria-label={label} onClick={act}>
      {text}
    </button>
  );
}

function AccountForm({
  form,
  act,
  close,
}: {
  readonly form: Form;
  readonly act: (wish: unknown) => Promise<void>;
  readonly close: () => void;
}) {
  const user = form.kind === 'new' ? null : form.user;
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>(user?.role ?? 'viewer');
  const [scope, setScope] = useState(scopeText(user?.pipelines ?? null));
  const [password, setPassword] = useState('');
  const asksPassword = form.kind !== 'change';
  const asksRole = form.kind !== 'password';
  const wish = {
    ...(form.kind === 'new' ? { name } : {}),
    ...(asksRole ? { role, pipelines: scopeOf(scope) } : {}),
    ...(asksPassword ? { password } : {}),
  };
  return (
    <FormDialog
      title={
        user === null ? (
          'New account'
        ) : (
          <>
            {form.kind === 'password' ? 'Another password for' : 'Change account'} <code>{user.name}</code>
          </>
        )
      }
      verb={user === null ? 'Make the account' : 'Save'}
      isReady={(form.kind !== 'new' || name !== '') && (!asksPassword || password !== '')}
      act={() => act(wish)}
      close={close}
    >
      {form.kind === 'new' && (
        <label class="field">
          <span>
            Name <span class="hint">lower-case letters, digits, - _ .</span>
          </span>
          <input
            value={name}
            required
            maxLength={64}
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
      )}
      {asksRole && (
        <>
          <RoleField role={role} most="admin" choose={setRole} />
          <label class="field">
            <span>
              Pipelines <span class="hint">names or patterns such as orders-*; empty for all</span>
            </span>
            <input
              value={scope}
              spellcheck={false}
              onInput={(event) => setScope(event.currentTarget.value)}
            />
          </label>
        </>
      )}
      {asksPassword && (
        <label class="field">
          <span>Password</span>
          <input
            type="password"
            value={password}
            required
            autocomplete="new-password"
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
        </label>
      )}
      {user !== null && <p class="hint">Its logins end with the change.</p>}
    </FormDialog>
  );
}
