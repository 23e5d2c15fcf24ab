/** One's own account: what it may do, its password, its tokens. */
import { useState } from 'preact/hooks';
import { change } from '../api/client.ts';
import { type Problem, problemOf } from '../api/problem.ts';
import { Facts, Page, Section } from '../components/page.tsx';
import { Notice, ProblemNotice } from '../components/problem.tsx';
import { Time } from '../components/time.tsx';
import { useStore } from '../live/store.ts';
import { askSession, session } from '../session/session.ts';
import { Tokens } from './tokens.tsx';

export function AccountPage() {
  const view = useStore(session, (now) => (now.kind === 'in' ? now.view : null));
  if (view === null) return null;
  const { name, role, kind, pipelines, expiresMs } = view;
  return (
    <Page title="Your account">
      <div class="columns">
        <Section title="Who you are">
          <div class="card">
            <Facts
              facts={[
                ['Name', name],
                ['Role', role],
                [
                  'Pipelines',
                  pipelines.length === 0 ? (
                    'all'
                  ) : (
                    <code key="p">{pipelines.map((one) => one.join(', ')).join(' and ')}</code>
                  ),
                ],
                ['This login ends', expiresMs === null ? 'never' : <Time key="e" ms={expiresMs} exact />],
              ]}
            />
          </div>
        </Section>
        <Section title="Password">
          {kind === 'user' ? (
            <Password name={name} />
          ) : (
            <Notice tone="calm" title="You are not logged in with a password, so there is none to change." />
          )}
        </Section>
      </div>
      <Tokens title={role === 'admin' ? 'Tokens' : 'Your tokens'} />
    </Page>
  );
}

function Password({ name }: { readonly name: string }) {
  const [old, setOld] = useState('');
  const [next, setNext] = useState('');
  const [again, setAgain] = useState('');
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const isSame = next === again;
  const send = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await change('PUT', '/session/password', { old, new: next });
      // Every login has ended, this one, too.
      await askSession();
    } catch (error) {
      setProblem(problemOf(error));
      setBusy(false);
    }
  };
  return (
    <form
      class="card stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (isSame && !busy) void send();
      }}
    >
      <input
        class="visually-hidden"
        name="username"
        autocomplete="username"
        value={name}
        readOnly
        tabIndex={-1}
        aria-label="Account"
      />
      <PasswordField label="Password now" value={old} set={setOld} kind="current-password" />
      <PasswordField label="New password" value={next} set={setNext} kind="new-password" />
      <PasswordField label="New password again" value={again} set={setAgain} kind="new-password" />
      {!isSame && again !== '' && <p class="wrong">The two are not the same.</p>}
      {problem !== null && <ProblemNotice problem={problem} />}
      <p>
        <button
          type="submit"
          class="button button-primary"
          disabled={busy || !isSame || next === '' || old === ''}
        >
          Change password
        </button>
      </p>
      <p class="hint">Every login of the account ends; log in again with the new one.</p>
    </form>
  );
}

function PasswordField({
  label,
  value,
  set,
  kind,
}: {
  readonly label: string;
  readonly value: string;
  readonly set: (value: string) => void;
  readonly kind: 'current-password' | 'new-password';
}) {
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="password"
        value={value}
        autocomplete={kind}
        required
        onInput={(event) => set(event.currentTarget.value)}
      />
    </label>
  );
}
