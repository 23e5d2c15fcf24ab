/** Another configuration in place of the one that rules: written, checked, and put there only if nobody was quicker. */
import { useEffect, useState } from 'preact/hooks';
import type { ConfigCheckView, ConfigView } from '../../node/operations.ts';
import { change, get } from '../api/client.ts';
import { Problem, problemOf } from '../api/problem.ts';
import { type Confirmation, ConfirmDialog } from '../components/confirm-dialog.tsx';
import { Differences } from '../components/differences.tsx';
import { Section } from '../components/page.tsx';
import { Loading, Notice, ProblemNotice } from '../components/problem.tsx';
import { prettyJson } from '../components/text-block.tsx';
import { useResource } from '../live/resource.ts';
import { pathOf } from '../router/route.ts';
import { useQueryWord } from '../router/router.tsx';

interface Start {
  readonly text: string;
  /** Of the one that rules, whatever the text is. */
  readonly version: number;
}

interface Checked {
  /** What was checked: another text must be checked again. */
  readonly text: string;
  readonly result: ConfigCheckView;
}

export function ConfigEditor({ pipeline }: { readonly pipeline: string }) {
  const path = `${pathOf('pipelines', pipeline)}/config`;
  const [from] = useQueryWord('from');
  const start = useResource(`${path} ${from}`, async (signal): Promise<Start> => {
    const ruling = await get<ConfigView>(path, undefined, signal);
    const { version } = ruling;
    if (from === '') return { text: prettyJson(ruling.config), version };
    const old = await get<Pick<ConfigView, 'config'>>(
      `${path}/history/${encodeURIComponent(from)}`,
      undefined,
      signal,
    );
    return { text: prettyJson(old.config), version };
  });
  const [text, setText] = useState<string | null>(null);
  const [checked, setChecked] = useState<Checked | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [ask, setAsk] = useState<Confirmation | null>(null);
  useEffect(() => {
    setText(start.value?.text ?? null);
    setChecked(null);
    setProblem(null);
  }, [start.value]);
  if (start.value === null || text === null)
    return start.problem === null ? (
      <Loading what="the configuration" />
    ) : (
      <ProblemNotice problem={start.problem} again={start.again} />
    );
  const { version } = start.value;
  const check = async () => {
    setProblem(null);
    setChecked(null);
    try {
      const config = parsed(text);
      setChecked({ text, result: await change<ConfigCheckView>('POST', `${path}/check`, { config }) });
    } catch (error) {
      setProblem(problemOf(error));
    }
  };
  const isCurrent = checked !== null && checked.text === text;
  const mayPut = isCurrent && checked.result.valid && checked.result.differences.length > 0;
  const put = () =>
    setAsk({
      verb: 'Change',
      kind: 'configuration of',
      object: pipeline,
      reason: 'needed',
      done: `${pipeline} works by the new configuration.`,
      children: (
        <>
          All nodes take it at once: the pipeline begins a new reign at its checkpoint. It stands until the
          configuration files change.
        </>
      ),
      async act(why) {
        await change('PUT', path, { config: parsed(text), why }, { headers: { 'if-match': `"${version}"` } });
        start.again();
      },
    });
  return (
    <>
      <Section title="Another in its place" aside={`in place of version ${version}`}>
        <label class="visually-hidden" for="config-text">
          Configuration as JSON
        </label>
        <textarea
          id="config-text"
          class="editor"
          rows={24}
          spellcheck={false}
          autocomplete="off"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <div class="toolbar">
          <button type="button" class="button" onClick={() => void check()}>
            Check
          </button>
          <button type="button" class="button button-primary" disabled={!mayPut} onClick={put}>
            Put in place…
          </button>
          <button type="button" class="button button-quiet" onClick={start.again}>
            Begin again
          </button>
          {!isCurrent && <span class="soft">What is checked and differs can be put in place.</span>}
        </div>
      </Section>
      <div aria-live="polite" class="page">
        {problem !== null && <ProblemNotice problem={problem} />}
        {isCurrent && !checked.result.valid && (
          <Notice tone="bad" title="It cannot be put in place." code="HOLT_REQUEST_INVALID">
            <ul class="problems">
              {checked.result.problems.map((one) => (
                <li key={`${one.path} ${one.message}`}>
                  {one.path !== '' && <code>{one.path}</code>} {one.message}
                </li>
              ))}
            </ul>
          </Notice>
        )}
        {isCurrent && checked.result.valid && (
          <Section title="What it changes">
            <Differences differences={checked.result.differences} none="It is the one that rules" />
          </Section>
        )}
      </div>
      {ask !== null && <ConfirmDialog ask={ask} close={() => setAsk(null)} />}
    </>
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Problem({
      status: 400,
      code: 'HOLT_REQUEST_INVALID',
      detail: `It is no JSON: ${error instanceof Error ? error.message : String(error)}`,
      remedy: 'Mend the place that the message names.',
    });
  }
}
