import { describeTypes } from './types-suite.ts';

/** The other pairs: there is no way between two servers that Holt does not carry types on. */
describeTypes(
  [
    ['mysql56', 'mysql56'],
    ['mysql56', 'mysql'],
    ['mysql', 'mariadb'],
    ['mariadb', 'mysql56'],
    ['mysql', 'mysql56'],
  ],
  false,
);
