/** The end of a list that goes on. */
import type { Paged } from '../live/paged.ts';
import { ProblemNotice } from './problem.tsx';

export function More<T>({ list }: { readonly list: Paged<T> }) {
  return (
    <>
      {list.problem !== null && <ProblemNotice problem={list.problem} again={list.again} />}
      {list.hasMore && (
        <p class="more">
          <button type="button" class="button" disabled={list.isLoading} onClick={() => list.more()}>
            {list.isLoading ? 'One moment…' : 'Show older ones'}
          </button>
        </p>
      )}
    </>
  );
}
