import { statementCases } from './statement-cases-suite.ts';

for (const flavour of ['mariadb', 'mysql'] as const) statementCases(flavour);
