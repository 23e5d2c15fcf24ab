import { statementCases } from './statement-cases-suite.ts';

statementCases('mysql56');
