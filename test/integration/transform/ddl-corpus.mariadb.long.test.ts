import { describeWithOwn } from '../../support/shared-servers.ts';
import { describeCorpus } from './ddl-corpus-servers.ts';

describeWithOwn(['mariadb'], 'the corpus of definitions on mariadb', () => describeCorpus('mariadb'));
