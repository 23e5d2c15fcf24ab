/** Login, and the making of the first account. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Problem, problemOf } from '../api/problem.ts';
import { Notice, ProblemNotice } from '../components/problem.tsx';
import { ThemeSwitch } from '../theme.tsx';
import { login, setup } from './session.ts';

export function LoginPage({ why }: { readonly why: string | null }) {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  return (
    <Door
      title="Log in"
      button="Log in"
      isReady={name !== '' && password !== ''}
      act={() => login(name.trim(), password)}
    >
      {why !== null && <Notice tone="calm" title={why} />}
      <Field label="Name" value={name} set={setName} autocomplete="username" isFirst />
      <Field
        label="Password"
        value={password}
        set={setPassword}
        autocomplete="current-password"
        type="password"
      />
    </Door>
  );
}

export function SetupPage() {
  const [token, setToken] = useState('');
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  return (
    <Door
      title="Make the first account"
      button="Make it and log in"
      isReady={token !== '' && name !== '' && password !== ''}
      act={() => setup(token.trim(), name.trim(), password)}
    >
      <p class="hint">
        This installation has no account yet. The node that was started first printed a setup token, once; it
        proves that you run it. The account becomes an administrator.
      </p>
      <Field label="Setup token" value={token} set={setToken} autocomplete="off" isFirst />
      <Field label="Name" value={name} set={setName} autocomplete="username" />
      <Field
        label="Password"
        value={password}
        set={setPassword}
        autocomplete="new-password"
        type="password"
      />
    </Door>
  );
}

interface DoorProps {
  readonly title: string;
  readonly button: string;
  readonly isReady: boolean;
  readonly act: () => Promise<void>;
  readonly children: ComponentChildren;
}

function Door({ title, button, isReady, act, children }: DoorProps) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    document.title = `${title} · Holt`;
  }, [title]);
  const submit = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await act();
    } catch (error) {
      setProblem(problemOf(error));
      setBusy(false);
    }
  };
  return (
    <main class="door">
      <form
        class="door-card"
        onSubmit={(event) => {
          event.preventDefault();
          if (isReady && !busy) void submit();
        }}
      >
        <div class="door-brand">
          <img src="/mark.svg" alt="" width="32" height="32" />
          <span>Holt</span>
        </div>
        <h1>{title}</h1>
        {children}
        {problem !== null && <ProblemNotice problem={problem} />}
        <button type="submit" class="button button-primary button-wide" disabled={!isReady || busy}>
          {busy ? 'One moment…' : button}
        </button>
      </form>
      <ThemeSwitch />
    </main>
  );
}

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly set: (value: string) => void;
  readonly autocomplete: string;
  readonly type?: 'text' | 'password';
  readonly isFirst?: boolean;
}

function Field({ label, value, set, autocomplete, type = 'text', isFirst = false }: FieldProps) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (isFirst) field.current?.focus();
  }, [isFirst]);
  return (
    <label class="field">
      <span>{label}</span>
      <input
        ref={field}
        {...(type === 'password' ? { type: 'password' as const } : {})}
        value={value}
        autocomplete={autocomplete}
        spellcheck={false}
        autocapitalize="none"
        onInput={(event) => set(event.currentTarget.value)}
      />
    </label>
  );
}
