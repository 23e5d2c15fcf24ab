/** Addresses of the console's pages of what is kept, on the made-up installation, for whom, and what is to be seen there. */
const RICH = 'orders-frankfurt-oregon';
const of = (path: string, more = '') => `${path}?pipeline=${RICH}${more}`;

export const RECORD_PAGES: readonly (readonly [
  path: string,
  role: 'viewer' | 'operator' | 'admin',
  sight: RegExp,
])[] = [
  [of('/ledger'), 'operator', /Parent row is missing/],
  [`/ledger/${RICH}/31`, 'operator', /cancelled/],
  [of('/ddl'), 'viewer', /basket_cache/],
  [`/ddl/${RICH}/7`, 'operator', /its end is not written/],
  [of('/checks'), 'operator', /118 of 412/],
  [`/checks/${RICH}/9a8b7c6d5e4f3a2b`, 'viewer', /missing at the target/],
  [of('/config'), 'viewer', /through the API/],
  [of('/config', '&show=history'), 'admin', /Put back/],
  [of('/config', '&show=compare'), 'viewer', /batch\.window/],
  [of('/config', '&show=edit'), 'admin', /in place of version/],
  ['/coordination', 'admin', /mainstem/],
  [`/coordination?show=tree&path=/seda/pipeline/${RICH}/epoch`, 'admin', /tenure/],
  ['/audit', 'admin', /login/],
  ['/accounts', 'admin', /New account/],
  ['/account', 'viewer', /New password again/],
  ['/about', 'admin', /holt-verify-fra-1/],
];
