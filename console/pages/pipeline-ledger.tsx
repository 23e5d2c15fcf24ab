/** What was not applied as it came and is still open, on the pipeline's own page. */
import type { LedgerEntryView } from '../../node/operations.ts';
import { get, type Page as ListPage } from '../api/client.ts';
import { Section } from '../components/page.tsx';
import { ProblemNotice } from '../components/problem.tsx';
import { useResource } from '../live/resource.ts';
import { pathOf } from '../router/route.ts';
import { Link } from '../router/router.tsx';
import { useMay } from '../session/session.ts';
import { kindWords } from './ledger-kinds.ts';

const SHOWN = 5;

export function PipelineLedger({ pipeline }: { readonly pipeline: string }) {
  const found = useResource(
    `open ${pipeline}`,
    (signal) =>
      get<ListPage<LedgerEntryView>>(
        `/pipelines/${encodeURIComponent(pipeline)}/errors`,
        { state: 'open', limit: SHOWN },
        signal,
      ),
    15_000,
  );
  const mayLook = useMay('operator');
  const items = found.value?.items ?? [];
  return (
    <Section
      title="Not applied as they came"
      aside={<Link to={`/ledger?pipeline=${encodeURIComponent(pipeline)}`}>All entries</Link>}
    >
      {found.problem !== null && <ProblemNotice problem={found.problem} again={found.again} />}
      {found.value !== null && items.length === 0 && (
        <p class="soft">No entry is open: every change was applied as it came, or was decided on.</p>
      )}
      {items.length > 0 && (
        <ul class="wanting card">
          {items.map(({ id, code, op, table, key, at }) => (
            <li key={id}>
              <p>
                {mayLook ? (
                  <Link to={pathOf('pipelines', pipeline, 'ledger', id)} class="name">
                    {kindWords(code).title}
                  </Link>
                ) : (
                  <strong>{kindWords(code).title}</strong>
                )}
                <span class="hint figure">{at}</span>
              </p>
              <p class="soft">
                {op} of <code>{table}</code> {key}
              </p>
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}
