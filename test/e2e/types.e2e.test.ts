import { describeTypes } from './types-suite.ts';

describeTypes([
  ['mysql', 'mysql'],
  ['mariadb', 'mysql'],
]);
