import { describeTypes } from './types-suite.ts';

describeTypes([
  ['mariadb', 'mariadb'],
  ['mysql56', 'mariadb'],
  ['mysql', 'mariadb'],
]);
