/** Asks before something is done: names what it is done to, says what follows, and takes the reason for status and audit. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Problem, problemOf } from '../api/problem.ts';
import { ProblemNotice } from './problem.tsx';
import { toastDone } from './toast.tsx';

export interface Confirmation {
  /** `Pause`. */
  readonly verb: string;
  /** `pipeline`. */
  readonly kind: string;
  /** Its name, as it must be typed where `mustType`. */
  readonly object: string;
  /** What follows. */
  readonly children: ComponentChildren;
  /** `asked`: may stay empty; `needed`: not; `none`: no field. */
  readonly reason: 'none' | 'asked' | 'needed';
  /** The name must be typed: there is no way back. */
  readonly mustType?: boolean;
  readonly isDanger?: boolean;
  /** Said when it is done. */
  readonly done: string;
  act(why: string): Promise<unknown>;
}

export function ConfirmDialog({ ask, close }: { readonly ask: Confirmation; readonly close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [why, setWhy] = useState('');
  const [typed, setTyped] = useState('');
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const isReady =
    !busy &&
    (ask.reason !== 'needed' || why.trim() !== '') &&
    (ask.mustType !== true || typed === ask.object);
  const act = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await ask.act(why.trim());
      toastDone(ask.done);
      close();
    } catch (error) {
      setProblem(problemOf(error));
      setBusy(false);
    }
  };
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby="confirm-title"
      onCancel={(event) => {
        event.preventDefault();
        if (!busy) close();
      }}
    >
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          if (isReady) void act();
        }}
      >
        <h2 id="confirm-title">
          {ask.verb} {ask.kind} <code>{ask.object}</code>
        </h2>
        <div class="dialog-text">{ask.children}</div>
        {ask.reason !== 'none' && (
          <label class="field">
            <span>
              Reason{' '}
              <span class="hint">
                {ask.reason === 'needed' ? 'needed' : 'optional'}; shown in status and audit log
              </span>
            </span>
            <textarea
              rows={2}
              maxLength={4096}
              value={why}
              required={ask.reason === 'needed'}
              onInput={(event) => setWhy(event.currentTarget.value)}
            />
          </label>
        )}
        {ask.mustType === true && (
          <label class="field">
            <span>
              Type <code>{ask.object}</code> to go on
            </span>
            <input
              value={typed}
              autocomplete="off"
              spellcheck={false}
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
          </label>
        )}
        {problem !== null && <ProblemNotice problem={problem} />}
        <div class="dialog-actions">
          <button type="button" class="button" disabled={busy} onClick={close}>
            Cancel
          </button>
          <button
            type="submit"
            class={`button ${ask.isDanger === true ? 'button-danger' : 'button-primary'}`}
            disabled={!isReady}
          >
            {busy ? 'One moment…' : `${ask.verb} ${ask.kind}`}
          </button>
        </div>
      </form>
    </dialog>
  );
}
