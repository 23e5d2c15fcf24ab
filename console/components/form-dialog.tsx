/** A few fields in a dialog. What the API refuses is shown in it, and nothing that was typed is lost. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Problem, problemOf } from '../api/problem.ts';
import { ProblemNotice } from './problem.tsx';

interface FormDialogProps {
  readonly title: ComponentChildren;
  /** On the button. */
  readonly verb: string;
  readonly isReady?: boolean;
  /** There is no way back, or it hurts. */
  readonly isDanger?: boolean;
  readonly children: ComponentChildren;
  /** Closes the dialog when it is done. */
  act(): Promise<unknown>;
  close(): void;
}

export function FormDialog({
  title,
  verb,
  isReady = true,
  isDanger = false,
  children,
  act,
  close,
}: FormDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const send = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await act();
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
      aria-labelledby="form-title"
      onCancel={(event) => {
        event.preventDefault();
        if (!busy) close();
      }}
    >
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          if (isReady && !busy) void send();
        }}
      >
        <h2 id="form-title">{title}</h2>
        {children}
        {problem !== null && <ProblemNotice problem={problem} />}
        <div class="dialog-actions">
          <button type="button" class="button" disabled={busy} onClick={close}>
            Cancel
          </button>
          <button
            type="submit"
            class={`button ${isDanger ? 'button-danger' : 'button-primary'}`}
            disabled={busy || !isReady}
          >
            {busy ? 'One moment…' : verb}
          </button>
        </div>
      </form>
    </dialog>
  );
}
