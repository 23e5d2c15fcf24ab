/** Addresses of the console's pages on the made-up installation, and what is to be seen there. */
export const CONSOLE_PAGES: readonly (readonly [path: string, sight: string])[] = [
  ['/', 'Worst lag first'],
  ['/pipelines', 'orders-oregon-frankfurt'],
  ['/pipelines/orders-frankfurt-oregon', 'Checkpoint'],
  ['/pipelines/billing-oregon-frankfurt', 'HOLT_APPLY_DUPLICATE'],
  ['/pipelines/orders-frankfurt-oregon/batches/0000000017-00000000000000090404', 'Commit to commit'],
  ['/nodes', 'database sin-db'],
  ['/nowhere', 'There is no page here'],
  ['/pipelines/nobody', 'There is no pipeline nobody'],
];
