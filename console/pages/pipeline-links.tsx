/** From a pipeline to what is kept of it on other pages. */
import { Link } from '../router/router.tsx';

const PAGES = [
  ['/ledger', 'Conflicts and dead letters'],
  ['/ddl', 'Schema changes'],
  ['/checks', 'Comparisons'],
  ['/config', 'Configuration'],
] as const;

export function PipelineLinks({ name }: { readonly name: string }) {
  return (
    <nav class="page-links" aria-label={`More of ${name}`}>
      {PAGES.map(([path, text]) => (
        <Link key={path} to={`${path}?pipeline=${encodeURIComponent(name)}`}>
          {text}
        </Link>
      ))}
    </nav>
  );
}
