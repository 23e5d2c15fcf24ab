import { describeWithOwn } from '../../support/shared-servers.ts';
import { describeCorpus } from './ddl-corpus-servers.ts';

describeWithOwn(['mysql'], 'the corpus of definitions on mysql', () => describeCorpus('mysql'));
