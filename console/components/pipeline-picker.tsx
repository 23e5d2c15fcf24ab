/** Which pipeline a page is about, in the address bar; the first by name where none is said. */
import { live } from '../live/live.ts';
import { useStore } from '../live/store.ts';
import { useQueryWord } from '../router/router.tsx';

/** Null until it is known which there are, or where there is none. */
export function usePickedPipeline(): string | null {
  const [word] = useQueryWord('pipeline');
  const first = useStore(live, (now) => now.pipelines?.[0]?.pipeline ?? null);
  return word === '' ? first : word;
}

export function PipelinePicker() {
  const picked = usePickedPipeline();
  const [, pick] = useQueryWord('pipeline');
  const pipelines = useStore(live, (now) => now.pipelines) ?? [];
  const names = pipelines.map((one) => one.pipeline);
  // A link may name one that is gone: it stays visible, and the page says what is wrong with it.
  const all = picked === null || names.includes(picked) ? names : [picked, ...names];
  return (
    <label class="pick">
      <span>Pipeline</span>
      <select class="select" value={picked ?? ''} onChange={(event) => pick(event.currentTarget.value)}>
        {all.map((name) => (
          <option key={name} value={name} selected={name === picked}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
