import { ALTER_COLUMNS } from './alter-columns.ts';
import { ALTER_KEYS } from './alter-keys.ts';
import { ALTER_OTHER } from './alter-other.ts';
import { CREATE_TABLE } from './create-table.ts';
import { DATABASES } from './databases.ts';
import type { DdlCase } from './ddl-case.ts';
import { DROP_TRUNCATE } from './drop-truncate.ts';
import { INDEX } from './index-statements.ts';
import { LIKE_SELECT } from './like-select.ts';
import { NO_TABLES } from './no-tables.ts';
import { PARTITIONS } from './partitions.ts';
import { RENAME } from './rename.ts';
import { SEQUENCES } from './sequences.ts';
import { UNREADABLE } from './unreadable.ts';
import { VIEWS } from './views.ts';

export const DDL_CORPUS: Readonly<Record<string, readonly DdlCase[]>> = {
  'CREATE TABLE': CREATE_TABLE,
  'CREATE TABLE … LIKE and SELECT': LIKE_SELECT,
  'ALTER TABLE, columns': ALTER_COLUMNS,
  'ALTER TABLE, keys': ALTER_KEYS,
  'ALTER TABLE, the rest': ALTER_OTHER,
  partitions: PARTITIONS,
  'DROP and TRUNCATE': DROP_TRUNCATE,
  RENAME,
  indexes: INDEX,
  views: VIEWS,
  databases: DATABASES,
  sequences: SEQUENCES,
  'what holds no tables': NO_TABLES,
  'what cannot be read': UNREADABLE,
};
