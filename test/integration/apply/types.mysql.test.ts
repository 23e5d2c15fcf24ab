import { describeTypes } from './types-suite.ts';

describeTypes(
  [
    ['mariadb', 'mariadb'],
    ['mysql', 'mysql'],
    ['mysql56', 'mariadb'],
    ['mariadb', 'mysql'],
  ],
  true,
);
