import type { DdlCase } from './ddl-case.ts';

export const CREATE_TABLE: readonly DdlCase[] = [
  {
    sql: 'CREATE TABLE n (id INT)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (id INT)' },
    renamed: { sql: 'CREATE TABLE n (id INT)' },
    columns: { sql: 'CREATE TABLE n (id INT)' },
  },
  {
    sql: 'create table shop.n (id int primary key)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'create table shop.n (id int primary key)' },
    renamed: { sql: 'create table `store`.n (id int primary key)' },
    columns: { sql: 'create table shop.n (id int primary key)' },
  },
  {
    sql: 'CREATE TABLE `shop`.`n` (`id` INT)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE `shop`.`n` (`id` INT)' },
    renamed: { sql: 'CREATE TABLE `store`.`n` (`id` INT)' },
    columns: { sql: 'CREATE TABLE `shop`.`n` (`id` INT)' },
  },
  {
    sql: 'CREATE TABLE shop . n (id INT)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE shop . n (id INT)' },
    renamed: { sql: 'CREATE TABLE `store` . n (id INT)' },
    columns: { sql: 'CREATE TABLE shop . n (id INT)' },
  },
  {
    sql: 'CREATE TABLE IF NOT EXISTS t (id INT NOT NULL PRIMARY KEY)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.t'], reads: [] },
    plain: { sql: 'CREATE TABLE IF NOT EXISTS t (id INT NOT NULL PRIMARY KEY)' },
    renamed: { sql: 'CREATE TABLE IF NOT EXISTS `goods` (id INT NOT NULL PRIMARY KEY)' },
    columns: { sql: 'CREATE TABLE IF NOT EXISTS t (id INT NOT NULL PRIMARY KEY)' },
  },
  {
    sql: "CREATE TABLE n (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'x' COMMENT 'it''s', ts TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), e ENUM('a','b'), s SET('x','y') NOT NULL, KEY k (name), UNIQUE KEY uq (name, id)) ENGINE=InnoDB AUTO_INCREMENT=10 DEFAULT CHARSET=utf8mb4 COMMENT='hello'",
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: "CREATE TABLE n (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'x' COMMENT 'it''s', ts TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), e ENUM('a','b'), s SET('x','y') NOT NULL, KEY k (name), UNIQUE KEY uq (name, id)) ENGINE=InnoDB AUTO_INCREMENT=10 DEFAULT CHARSET=utf8mb4 COMMENT='hello'",
    },
    renamed: {
      sql: "CREATE TABLE n (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'x' COMMENT 'it''s', ts TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), e ENUM('a','b'), s SET('x','y') NOT NULL, KEY k (name), UNIQUE KEY uq (name, id)) ENGINE=InnoDB AUTO_INCREMENT=10 DEFAULT CHARSET=utf8mb4 COMMENT='hello'",
    },
    columns: {
      sql: "CREATE TABLE n (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'x' COMMENT 'it''s', ts TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), e ENUM('a','b'), s SET('x','y') NOT NULL, KEY k (name), UNIQUE KEY uq (name, id)) ENGINE=InnoDB AUTO_INCREMENT=10 DEFAULT CHARSET=utf8mb4 COMMENT='hello'",
    },
  },
  {
    sql: 'CREATE TABLE n (a TINYINT, b SMALLINT UNSIGNED ZEROFILL, c MEDIUMINT, d BIGINT, e DECIMAL(65,30), f FLOAT, g DOUBLE PRECISION, h REAL, i BIT(8), j BOOL, k NUMERIC(5), l DEC)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: 'CREATE TABLE n (a TINYINT, b SMALLINT UNSIGNED ZEROFILL, c MEDIUMINT, d BIGINT, e DECIMAL(65,30), f FLOAT, g DOUBLE PRECISION, h REAL, i BIT(8), j BOOL, k NUMERIC(5), l DEC)',
    },
    renamed: {
      sql: 'CREATE TABLE n (a TINYINT, b SMALLINT UNSIGNED ZEROFILL, c MEDIUMINT, d BIGINT, e DECIMAL(65,30), f FLOAT, g DOUBLE PRECISION, h REAL, i BIT(8), j BOOL, k NUMERIC(5), l DEC)',
    },
    columns: {
      sql: 'CREATE TABLE n (a TINYINT, b SMALLINT UNSIGNED ZEROFILL, c MEDIUMINT, d BIGINT, e DECIMAL(65,30), f FLOAT, g DOUBLE PRECISION, h REAL, i BIT(8), j BOOL, k NUMERIC(5), l DEC)',
    },
  },
  {
    sql: 'CREATE TABLE n (a CHAR(10), b VARCHAR(20) BINARY, c TINYTEXT, d TEXT, e MEDIUMTEXT, f LONGTEXT, g TINYBLOB, h BLOB, i MEDIUMBLOB, j LONGBLOB, k BINARY(4), l VARBINARY(10), m NATIONAL VARCHAR(10), n NCHAR(5), o CHARACTER VARYING(9), p LONG VARCHAR)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: 'CREATE TABLE n (a CHAR(10), b VARCHAR(20) BINARY, c TINYTEXT, d TEXT, e MEDIUMTEXT, f LONGTEXT, g TINYBLOB, h BLOB, i MEDIUMBLOB, j LONGBLOB, k BINARY(4), l VARBINARY(10), m NATIONAL VARCHAR(10), n NCHAR(5), o CHARACTER VARYING(9), p LONG VARCHAR)',
    },
    renamed: {
      sql: 'CREATE TABLE n (a CHAR(10), b VARCHAR(20) BINARY, c TINYTEXT, d TEXT, e MEDIUMTEXT, f LONGTEXT, g TINYBLOB, h BLOB, i MEDIUMBLOB, j LONGBLOB, k BINARY(4), l VARBINARY(10), m NATIONAL VARCHAR(10), n NCHAR(5), o CHARACTER VARYING(9), p LONG VARCHAR)',
    },
    columns: {
      sql: 'CREATE TABLE n (a CHAR(10), b VARCHAR(20) BINARY, c TINYTEXT, d TEXT, e MEDIUMTEXT, f LONGTEXT, g TINYBLOB, h BLOB, i MEDIUMBLOB, j LONGBLOB, k BINARY(4), l VARBINARY(10), m NATIONAL VARCHAR(10), n NCHAR(5), o CHARACTER VARYING(9), p LONG VARCHAR)',
    },
  },
  {
    sql: "CREATE TABLE n (a DATE, b TIME(6), c DATETIME(2) DEFAULT '2020-01-01 00:00:00', d YEAR, e TIMESTAMP NULL DEFAULT NULL)",
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: "CREATE TABLE n (a DATE, b TIME(6), c DATETIME(2) DEFAULT '2020-01-01 00:00:00', d YEAR, e TIMESTAMP NULL DEFAULT NULL)",
    },
    renamed: {
      sql: "CREATE TABLE n (a DATE, b TIME(6), c DATETIME(2) DEFAULT '2020-01-01 00:00:00', d YEAR, e TIMESTAMP NULL DEFAULT NULL)",
    },
    columns: {
      sql: "CREATE TABLE n (a DATE, b TIME(6), c DATETIME(2) DEFAULT '2020-01-01 00:00:00', d YEAR, e TIMESTAMP NULL DEFAULT NULL)",
    },
  },
  {
    sql: 'CREATE TABLE n (a POINT NOT NULL, b GEOMETRY, c LINESTRING, d POLYGON, SPATIAL INDEX sp (a)) ENGINE=InnoDB',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: 'CREATE TABLE n (a POINT NOT NULL, b GEOMETRY, c LINESTRING, d POLYGON, SPATIAL INDEX sp (a)) ENGINE=InnoDB',
    },
    renamed: {
      sql: 'CREATE TABLE n (a POINT NOT NULL, b GEOMETRY, c LINESTRING, d POLYGON, SPATIAL INDEX sp (a)) ENGINE=InnoDB',
    },
    columns: {
      sql: 'CREATE TABLE n (a POINT NOT NULL, b GEOMETRY, c LINESTRING, d POLYGON, SPATIAL INDEX sp (a)) ENGINE=InnoDB',
    },
  },
  {
    sql: 'CREATE TABLE n (j JSON, k JSON NOT NULL)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (j JSON, k JSON NOT NULL)' },
    renamed: { sql: 'CREATE TABLE n (j JSON, k JSON NOT NULL)' },
    columns: { sql: 'CREATE TABLE n (j JSON, k JSON NOT NULL)' },
  },
  {
    sql: 'CREATE TABLE n (j JSON DEFAULT (JSON_ARRAY()), v VARCHAR(36) DEFAULT (UUID()))',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (j JSON DEFAULT (JSON_ARRAY()), v VARCHAR(36) DEFAULT (UUID()))' },
    renamed: { sql: 'CREATE TABLE n (j JSON DEFAULT (JSON_ARRAY()), v VARCHAR(36) DEFAULT (UUID()))' },
    columns: { sql: 'CREATE TABLE n (j JSON DEFAULT (JSON_ARRAY()), v VARCHAR(36) DEFAULT (UUID()))' },
  },
  {
    sql: "CREATE TABLE n (a INT DEFAULT -5, b DECIMAL(5,2) DEFAULT +1.50, c DOUBLE DEFAULT 1.5e3, d DOUBLE DEFAULT 1e-3, e DOUBLE DEFAULT .5, f BIT(3) DEFAULT b'101', g VARBINARY(4) DEFAULT x'41', h VARCHAR(9) DEFAULT _utf8mb4'x', i BOOL DEFAULT TRUE)",
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: "CREATE TABLE n (a INT DEFAULT -5, b DECIMAL(5,2) DEFAULT +1.50, c DOUBLE DEFAULT 1.5e3, d DOUBLE DEFAULT 1e-3, e DOUBLE DEFAULT .5, f BIT(3) DEFAULT b'101', g VARBINARY(4) DEFAULT x'41', h VARCHAR(9) DEFAULT _utf8mb4'x', i BOOL DEFAULT TRUE)",
    },
    renamed: {
      sql: "CREATE TABLE n (a INT DEFAULT -5, b DECIMAL(5,2) DEFAULT +1.50, c DOUBLE DEFAULT 1.5e3, d DOUBLE DEFAULT 1e-3, e DOUBLE DEFAULT .5, f BIT(3) DEFAULT b'101', g VARBINARY(4) DEFAULT x'41', h VARCHAR(9) DEFAULT _utf8mb4'x', i BOOL DEFAULT TRUE)",
    },
    columns: {
      sql: "CREATE TABLE n (a INT DEFAULT -5, b DECIMAL(5,2) DEFAULT +1.50, c DOUBLE DEFAULT 1.5e3, d DOUBLE DEFAULT 1e-3, e DOUBLE DEFAULT .5, f BIT(3) DEFAULT b'101', g VARBINARY(4) DEFAULT x'41', h VARCHAR(9) DEFAULT _utf8mb4'x', i BOOL DEFAULT TRUE)",
    },
  },
  {
    sql: "CREATE TABLE n (a INT, b INT GENERATED ALWAYS AS (a + 1) STORED, c INT AS (a * 2) VIRTUAL, d VARCHAR(60) AS (CONCAT('x(', a, ')')) VIRTUAL COMMENT 'g')",
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: "CREATE TABLE n (a INT, b INT GENERATED ALWAYS AS (a + 1) STORED, c INT AS (a * 2) VIRTUAL, d VARCHAR(60) AS (CONCAT('x(', a, ')')) VIRTUAL COMMENT 'g')",
    },
    renamed: {
      sql: "CREATE TABLE n (a INT, b INT GENERATED ALWAYS AS (a + 1) STORED, c INT AS (a * 2) VIRTUAL, d VARCHAR(60) AS (CONCAT('x(', a, ')')) VIRTUAL COMMENT 'g')",
    },
    columns: {
      sql: "CREATE TABLE n (a INT, b INT GENERATED ALWAYS AS (a + 1) STORED, c INT AS (a * 2) VIRTUAL, d VARCHAR(60) AS (CONCAT('x(', a, ')')) VIRTUAL COMMENT 'g')",
    },
  },
  {
    sql: 'CREATE TABLE n (a INT, c INT AS (a * 2) VIRTUAL NOT NULL)',
    servers: 'mysql',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT, c INT AS (a * 2) VIRTUAL NOT NULL)' },
    renamed: { sql: 'CREATE TABLE n (a INT, c INT AS (a * 2) VIRTUAL NOT NULL)' },
    columns: { sql: 'CREATE TABLE n (a INT, c INT AS (a * 2) VIRTUAL NOT NULL)' },
  },
  {
    sql: 'CREATE TABLE n (a INT CHECK (a > 0), b INT, CONSTRAINT ck CHECK (a < b AND b BETWEEN 1 AND 10 OR a IN (1,2,3)))',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: 'CREATE TABLE n (a INT CHECK (a > 0), b INT, CONSTRAINT ck CHECK (a < b AND b BETWEEN 1 AND 10 OR a IN (1,2,3)))',
    },
    renamed: {
      sql: 'CREATE TABLE n (a INT CHECK (a > 0), b INT, CONSTRAINT ck CHECK (a < b AND b BETWEEN 1 AND 10 OR a IN (1,2,3)))',
    },
    columns: {
      sql: 'CREATE TABLE n (a INT CHECK (a > 0), b INT, CONSTRAINT ck CHECK (a < b AND b BETWEEN 1 AND 10 OR a IN (1,2,3)))',
    },
  },
  {
    sql: 'CREATE TABLE n (a INT, CHECK (a > 0) NOT ENFORCED)',
    servers: 'mysql',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT, CHECK (a > 0) NOT ENFORCED)' },
    renamed: { sql: 'CREATE TABLE n (a INT, CHECK (a > 0) NOT ENFORCED)' },
    columns: { sql: 'CREATE TABLE n (a INT, CHECK (a > 0) NOT ENFORCED)' },
  },
  {
    sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, CONSTRAINT fk_n FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE SET NULL)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: ['shop.parent'] },
    plain: {
      sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, CONSTRAINT fk_n FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE SET NULL)',
    },
    renamed: {
      sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, CONSTRAINT fk_n FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE SET NULL)',
    },
    columns: {
      sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, CONSTRAINT fk_n FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE SET NULL)',
    },
  },
  {
    sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY fk_x (p) REFERENCES shop.parent (id) ON DELETE NO ACTION)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: ['shop.parent'] },
    plain: {
      sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY fk_x (p) REFERENCES shop.parent (id) ON DELETE NO ACTION)',
    },
    renamed: {
      sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY fk_x (p) REFERENCES `store`.parent (id) ON DELETE NO ACTION)',
    },
    columns: {
      sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY fk_x (p) REFERENCES shop.parent (id) ON DELETE NO ACTION)',
    },
  },
  {
    sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES n (id))',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: ['shop.n'] },
    plain: { sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES n (id))' },
    renamed: { sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES n (id))' },
    columns: { sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES n (id))' },
  },
  {
    sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES t (id))',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: ['shop.t'] },
    plain: { sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES t (id))' },
    renamed: { sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES `goods` (id))' },
    columns: { sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES t (id))' },
  },
  {
    sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES crm.other (id))',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: ['crm.other'] },
    plain: { sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES crm.other (id))' },
    renamed: { sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES crm.other (id))' },
    columns: { sql: 'CREATE TABLE n (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES crm.other (id))' },
  },
  {
    sql: 'CREATE TABLE n (a INT, b VARCHAR(30), c TEXT, PRIMARY KEY (a), UNIQUE (b), UNIQUE INDEX ub (b(10)), INDEX ib USING BTREE (b), KEY mixed (a, b(5) DESC), FULLTEXT KEY ft (c)) ENGINE=InnoDB',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: 'CREATE TABLE n (a INT, b VARCHAR(30), c TEXT, PRIMARY KEY (a), UNIQUE (b), UNIQUE INDEX ub (b(10)), INDEX ib USING BTREE (b), KEY mixed (a, b(5) DESC), FULLTEXT KEY ft (c)) ENGINE=InnoDB',
    },
    renamed: {
      sql: 'CREATE TABLE n (a INT, b VARCHAR(30), c TEXT, PRIMARY KEY (a), UNIQUE (b), UNIQUE INDEX ub (b(10)), INDEX ib USING BTREE (b), KEY mixed (a, b(5) DESC), FULLTEXT KEY ft (c)) ENGINE=InnoDB',
    },
    columns: {
      sql: 'CREATE TABLE n (a INT, b VARCHAR(30), c TEXT, PRIMARY KEY (a), UNIQUE (b), UNIQUE INDEX ub (b(10)), INDEX ib USING BTREE (b), KEY mixed (a, b(5) DESC), FULLTEXT KEY ft (c)) ENGINE=InnoDB',
    },
  },
  {
    sql: "CREATE TABLE n (a INT, KEY k1 (a) COMMENT 'c', KEY k2 (a) USING BTREE, KEY k3 (a) KEY_BLOCK_SIZE=4)",
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: "CREATE TABLE n (a INT, KEY k1 (a) COMMENT 'c', KEY k2 (a) USING BTREE, KEY k3 (a) KEY_BLOCK_SIZE=4)",
    },
    renamed: {
      sql: "CREATE TABLE n (a INT, KEY k1 (a) COMMENT 'c', KEY k2 (a) USING BTREE, KEY k3 (a) KEY_BLOCK_SIZE=4)",
    },
    columns: {
      sql: "CREATE TABLE n (a INT, KEY k1 (a) COMMENT 'c', KEY k2 (a) USING BTREE, KEY k3 (a) KEY_BLOCK_SIZE=4)",
    },
  },
  {
    sql: 'CREATE TABLE n (a INT, KEY k (a) INVISIBLE)',
    servers: 'mysql',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT, KEY k (a) INVISIBLE)' },
    renamed: { sql: 'CREATE TABLE n (a INT, KEY k (a) INVISIBLE)' },
    columns: { sql: 'CREATE TABLE n (a INT, KEY k (a) INVISIBLE)' },
  },
  {
    sql: 'CREATE TABLE n (a VARCHAR(50), KEY f ((LOWER(a))), KEY g ((CAST(a AS UNSIGNED)) DESC))',
    servers: 'mysql',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a VARCHAR(50), KEY f ((LOWER(a))), KEY g ((CAST(a AS UNSIGNED)) DESC))' },
    renamed: {
      sql: 'CREATE TABLE n (a VARCHAR(50), KEY f ((LOWER(a))), KEY g ((CAST(a AS UNSIGNED)) DESC))',
    },
    columns: {
      sql: 'CREATE TABLE n (a VARCHAR(50), KEY f ((LOWER(a))), KEY g ((CAST(a AS UNSIGNED)) DESC))',
    },
  },
  {
    sql: 'CREATE TABLE n (a INT, b INT INVISIBLE)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT, b INT INVISIBLE)' },
    renamed: { sql: 'CREATE TABLE n (a INT, b INT INVISIBLE)' },
    columns: { sql: 'CREATE TABLE n (a INT, b INT INVISIBLE)' },
  },
  {
    sql: 'CREATE TABLE n (a INT, b INT /*!80023 INVISIBLE */)',
    servers: 'mysql',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT, b INT /*!80023 INVISIBLE */)' },
    renamed: { sql: 'CREATE TABLE n (a INT, b INT /*!80023 INVISIBLE */)' },
    columns: { sql: 'CREATE TABLE n (a INT, b INT /*!80023 INVISIBLE */)' },
  },
  {
    sql: 'CREATE TABLE n (a INT, b INT /*M!100301 INVISIBLE */)',
    servers: 'mariadb',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT, b INT /*M!100301 INVISIBLE */)' },
    renamed: { sql: 'CREATE TABLE n (a INT, b INT /*M!100301 INVISIBLE */)' },
    columns: { sql: 'CREATE TABLE n (a INT, b INT /*M!100301 INVISIBLE */)' },
  },
  {
    sql: "CREATE TABLE n (a INT /*!50600 COMMENT 'old' */)",
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: "CREATE TABLE n (a INT /*!50600 COMMENT 'old' */)" },
    renamed: { sql: "CREATE TABLE n (a INT /*!50600 COMMENT 'old' */)" },
    columns: { sql: "CREATE TABLE n (a INT /*!50600 COMMENT 'old' */)" },
  },
  {
    sql: 'CREATE TABLE /* no name */ n -- nor here `x`\n ( # or "here"\n a INT /* , b INT */ )',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE /* no name */ n -- nor here `x`\n ( # or "here"\n a INT /* , b INT */ )' },
    renamed: { sql: 'CREATE TABLE /* no name */ n -- nor here `x`\n ( # or "here"\n a INT /* , b INT */ )' },
    columns: { sql: 'CREATE TABLE /* no name */ n -- nor here `x`\n ( # or "here"\n a INT /* , b INT */ )' },
  },
  {
    sql: 'CREATE TABLE n (`we``ird na.me` INT, `select` INT, `from` INT, `,` INT, `)` INT)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (`we``ird na.me` INT, `select` INT, `from` INT, `,` INT, `)` INT)' },
    renamed: { sql: 'CREATE TABLE n (`we``ird na.me` INT, `select` INT, `from` INT, `,` INT, `)` INT)' },
    columns: { sql: 'CREATE TABLE n (`we``ird na.me` INT, `select` INT, `from` INT, `,` INT, `)` INT)' },
  },
  {
    sql: 'CREATE TABLE `a``b` (`x` INT)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.a`b'], reads: [] },
    plain: { sql: 'CREATE TABLE `a``b` (`x` INT)' },
    renamed: { sql: 'CREATE TABLE `a``b` (`x` INT)' },
    columns: { sql: 'CREATE TABLE `a``b` (`x` INT)' },
  },
  {
    sql: 'CREATE TABLE `select` (a INT)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.select'], reads: [] },
    plain: { sql: 'CREATE TABLE `select` (a INT)' },
    renamed: { sql: 'CREATE TABLE `select` (a INT)' },
    columns: { sql: 'CREATE TABLE `select` (a INT)' },
  },
  {
    sql: 'CREATE TABLE n (a INT) ENGINE=InnoDB PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10) ENGINE = InnoDB, PARTITION p1 VALUES LESS THAN MAXVALUE ENGINE = InnoDB)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: 'CREATE TABLE n (a INT) ENGINE=InnoDB PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10) ENGINE = InnoDB, PARTITION p1 VALUES LESS THAN MAXVALUE ENGINE = InnoDB)',
    },
    renamed: {
      sql: 'CREATE TABLE n (a INT) ENGINE=InnoDB PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10) ENGINE = InnoDB, PARTITION p1 VALUES LESS THAN MAXVALUE ENGINE = InnoDB)',
    },
    columns: {
      sql: 'CREATE TABLE n (a INT) ENGINE=InnoDB PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10) ENGINE = InnoDB, PARTITION p1 VALUES LESS THAN MAXVALUE ENGINE = InnoDB)',
    },
  },
  {
    sql: 'CREATE TABLE n (a INT, b INT) PARTITION BY LIST COLUMNS(a) SUBPARTITION BY HASH(b) SUBPARTITIONS 2 (PARTITION p0 VALUES IN (1,2,3), PARTITION p1 VALUES IN (4))',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: 'CREATE TABLE n (a INT, b INT) PARTITION BY LIST COLUMNS(a) SUBPARTITION BY HASH(b) SUBPARTITIONS 2 (PARTITION p0 VALUES IN (1,2,3), PARTITION p1 VALUES IN (4))',
    },
    renamed: {
      sql: 'CREATE TABLE n (a INT, b INT) PARTITION BY LIST COLUMNS(a) SUBPARTITION BY HASH(b) SUBPARTITIONS 2 (PARTITION p0 VALUES IN (1,2,3), PARTITION p1 VALUES IN (4))',
    },
    columns: {
      sql: 'CREATE TABLE n (a INT, b INT) PARTITION BY LIST COLUMNS(a) SUBPARTITION BY HASH(b) SUBPARTITIONS 2 (PARTITION p0 VALUES IN (1,2,3), PARTITION p1 VALUES IN (4))',
    },
  },
  {
    sql: "CREATE TABLE n (a INT, d DATE) PARTITION BY RANGE (YEAR(d)) PARTITIONS 2 (PARTITION p0 VALUES LESS THAN (2000) COMMENT = 'old', PARTITION p1 VALUES LESS THAN (2030))",
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: "CREATE TABLE n (a INT, d DATE) PARTITION BY RANGE (YEAR(d)) PARTITIONS 2 (PARTITION p0 VALUES LESS THAN (2000) COMMENT = 'old', PARTITION p1 VALUES LESS THAN (2030))",
    },
    renamed: {
      sql: "CREATE TABLE n (a INT, d DATE) PARTITION BY RANGE (YEAR(d)) PARTITIONS 2 (PARTITION p0 VALUES LESS THAN (2000) COMMENT = 'old', PARTITION p1 VALUES LESS THAN (2030))",
    },
    columns: {
      sql: "CREATE TABLE n (a INT, d DATE) PARTITION BY RANGE (YEAR(d)) PARTITIONS 2 (PARTITION p0 VALUES LESS THAN (2000) COMMENT = 'old', PARTITION p1 VALUES LESS THAN (2030))",
    },
  },
  {
    sql: 'CREATE TABLE n (a INT PRIMARY KEY) PARTITION BY KEY () PARTITIONS 3',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT PRIMARY KEY) PARTITION BY KEY () PARTITIONS 3' },
    renamed: { sql: 'CREATE TABLE n (a INT PRIMARY KEY) PARTITION BY KEY () PARTITIONS 3' },
    columns: { sql: 'CREATE TABLE n (a INT PRIMARY KEY) PARTITION BY KEY () PARTITIONS 3' },
  },
  {
    sql: 'CREATE TABLE n (a INT PRIMARY KEY) PARTITION BY LINEAR HASH (a) PARTITIONS 4',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT PRIMARY KEY) PARTITION BY LINEAR HASH (a) PARTITIONS 4' },
    renamed: { sql: 'CREATE TABLE n (a INT PRIMARY KEY) PARTITION BY LINEAR HASH (a) PARTITIONS 4' },
    columns: { sql: 'CREATE TABLE n (a INT PRIMARY KEY) PARTITION BY LINEAR HASH (a) PARTITIONS 4' },
  },
  {
    sql: "CREATE TABLE n (a INT, d DATETIME) PARTITION BY RANGE (TO_DAYS(d)) (PARTITION p0 VALUES LESS THAN (TO_DAYS('2024-01-01')))",
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: "CREATE TABLE n (a INT, d DATETIME) PARTITION BY RANGE (TO_DAYS(d)) (PARTITION p0 VALUES LESS THAN (TO_DAYS('2024-01-01')))",
    },
    renamed: {
      sql: "CREATE TABLE n (a INT, d DATETIME) PARTITION BY RANGE (TO_DAYS(d)) (PARTITION p0 VALUES LESS THAN (TO_DAYS('2024-01-01')))",
    },
    columns: {
      sql: "CREATE TABLE n (a INT, d DATETIME) PARTITION BY RANGE (TO_DAYS(d)) (PARTITION p0 VALUES LESS THAN (TO_DAYS('2024-01-01')))",
    },
  },
  {
    sql: '/*!50100 CREATE TABLE n (a INT) ENGINE=InnoDB */',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: '/*!50100 CREATE TABLE n (a INT) ENGINE=InnoDB */' },
    renamed: { sql: '/*!50100 CREATE TABLE n (a INT) ENGINE=InnoDB */' },
    columns: { sql: '/*!50100 CREATE TABLE n (a INT) ENGINE=InnoDB */' },
  },
  {
    sql: 'CREATE TABLE n (a INT) ROW_FORMAT=DYNAMIC, STATS_PERSISTENT=1 KEY_BLOCK_SIZE 0 CHECKSUM=1',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: 'CREATE TABLE n (a INT) ROW_FORMAT=DYNAMIC, STATS_PERSISTENT=1 KEY_BLOCK_SIZE 0 CHECKSUM=1',
    },
    renamed: {
      sql: 'CREATE TABLE n (a INT) ROW_FORMAT=DYNAMIC, STATS_PERSISTENT=1 KEY_BLOCK_SIZE 0 CHECKSUM=1',
    },
    columns: {
      sql: 'CREATE TABLE n (a INT) ROW_FORMAT=DYNAMIC, STATS_PERSISTENT=1 KEY_BLOCK_SIZE 0 CHECKSUM=1',
    },
  },
  {
    sql: 'CREATE TABLE n (a INT) DEFAULT CHARACTER SET = latin1 COLLATE = latin1_german1_ci',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT) DEFAULT CHARACTER SET = latin1 COLLATE = latin1_german1_ci' },
    renamed: { sql: 'CREATE TABLE n (a INT) DEFAULT CHARACTER SET = latin1 COLLATE = latin1_german1_ci' },
    columns: { sql: 'CREATE TABLE n (a INT) DEFAULT CHARACTER SET = latin1 COLLATE = latin1_german1_ci' },
  },
  {
    sql: 'CREATE TABLE n (a VARCHAR(5)) CHARSET utf8mb4 COLLATE utf8mb4_0900_ai_ci',
    servers: 'mysql',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a VARCHAR(5)) CHARSET utf8mb4 COLLATE utf8mb4_0900_ai_ci' },
    renamed: { sql: 'CREATE TABLE n (a VARCHAR(5)) CHARSET utf8mb4 COLLATE utf8mb4_0900_ai_ci' },
    columns: { sql: 'CREATE TABLE n (a VARCHAR(5)) CHARSET utf8mb4 COLLATE utf8mb4_0900_ai_ci' },
  },
  {
    sql: "CREATE TABLE n (a INT) ENGINE=MyISAM DATA DIRECTORY='/nowhere'",
    servers: 'none',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: "CREATE TABLE n (a INT) ENGINE=MyISAM DATA DIRECTORY='/nowhere'" },
    renamed: { sql: "CREATE TABLE n (a INT) ENGINE=MyISAM DATA DIRECTORY='/nowhere'" },
    columns: { sql: "CREATE TABLE n (a INT) ENGINE=MyISAM DATA DIRECTORY='/nowhere'" },
  },
  {
    sql: 'CREATE TABLE n (a GEOMETRY NOT NULL SRID 4326)',
    servers: 'mysql',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a GEOMETRY NOT NULL SRID 4326)' },
    renamed: { sql: 'CREATE TABLE n (a GEOMETRY NOT NULL SRID 4326)' },
    columns: { sql: 'CREATE TABLE n (a GEOMETRY NOT NULL SRID 4326)' },
  },
  {
    sql: 'CREATE TABLE n (v VECTOR(3))',
    servers: 'mysql',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (v VECTOR(3))' },
    renamed: { sql: 'CREATE TABLE n (v VECTOR(3))' },
    columns: { sql: 'CREATE TABLE n (v VECTOR(3))' },
  },
  {
    sql: 'CREATE TABLE n (a INT) WITH SYSTEM VERSIONING',
    servers: 'mariadb',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT) WITH SYSTEM VERSIONING' },
    renamed: { sql: 'CREATE TABLE n (a INT) WITH SYSTEM VERSIONING' },
    columns: { sql: 'CREATE TABLE n (a INT) WITH SYSTEM VERSIONING' },
  },
  {
    sql: 'CREATE TABLE n (a INT, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME(s, e)) WITH SYSTEM VERSIONING',
    servers: 'mariadb',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: 'CREATE TABLE n (a INT, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME(s, e)) WITH SYSTEM VERSIONING',
    },
    renamed: {
      sql: 'CREATE TABLE n (a INT, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME(s, e)) WITH SYSTEM VERSIONING',
    },
    columns: {
      sql: 'CREATE TABLE n (a INT, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME(s, e)) WITH SYSTEM VERSIONING',
    },
  },
  {
    sql: 'CREATE TABLE n (id INT, s DATE, e DATE, PERIOD FOR valid (s, e), UNIQUE (id, valid WITHOUT OVERLAPS))',
    servers: 'mariadb',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: 'CREATE TABLE n (id INT, s DATE, e DATE, PERIOD FOR valid (s, e), UNIQUE (id, valid WITHOUT OVERLAPS))',
    },
    renamed: {
      sql: 'CREATE TABLE n (id INT, s DATE, e DATE, PERIOD FOR valid (s, e), UNIQUE (id, valid WITHOUT OVERLAPS))',
    },
    columns: {
      sql: 'CREATE TABLE n (id INT, s DATE, e DATE, PERIOD FOR valid (s, e), UNIQUE (id, valid WITHOUT OVERLAPS))',
    },
  },
  {
    sql: 'CREATE OR REPLACE TABLE t (a UUID DEFAULT uuid(), b INET6)',
    servers: 'mariadb',
    reading: { kind: 'create-table', changes: ['shop.t'], reads: [] },
    plain: { sql: 'CREATE OR REPLACE TABLE t (a UUID DEFAULT uuid(), b INET6)' },
    renamed: { sql: 'CREATE OR REPLACE TABLE `goods` (a UUID DEFAULT uuid(), b INET6)' },
    columns: { sql: 'CREATE OR REPLACE TABLE t (`alpha` UUID DEFAULT uuid(), b INET6)' },
  },
  {
    sql: 'CREATE TABLE n (a INT, b INT PERSISTENT AS (a+1))',
    servers: 'none',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT, b INT PERSISTENT AS (a+1))' },
    renamed: { sql: 'CREATE TABLE n (a INT, b INT PERSISTENT AS (a+1))' },
    columns: { sql: 'CREATE TABLE n (a INT, b INT PERSISTENT AS (a+1))' },
  },
  {
    sql: 'CREATE TABLE n (a INT, b INT AS (a+1) PERSISTENT)',
    servers: 'mariadb',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT, b INT AS (a+1) PERSISTENT)' },
    renamed: { sql: 'CREATE TABLE n (a INT, b INT AS (a+1) PERSISTENT)' },
    columns: { sql: 'CREATE TABLE n (a INT, b INT AS (a+1) PERSISTENT)' },
  },
  {
    sql: 'CREATE TABLE n (a TEXT COMPRESSED)',
    servers: 'mariadb',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a TEXT COMPRESSED)' },
    renamed: { sql: 'CREATE TABLE n (a TEXT COMPRESSED)' },
    columns: { sql: 'CREATE TABLE n (a TEXT COMPRESSED)' },
  },
  {
    sql: 'CREATE TABLE n (a INT) ENGINE=Aria TRANSACTIONAL=1 PAGE_CHECKSUM=1',
    servers: 'mariadb',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT) ENGINE=Aria TRANSACTIONAL=1 PAGE_CHECKSUM=1' },
    renamed: { sql: 'CREATE TABLE n (a INT) ENGINE=Aria TRANSACTIONAL=1 PAGE_CHECKSUM=1' },
    columns: { sql: 'CREATE TABLE n (a INT) ENGINE=Aria TRANSACTIONAL=1 PAGE_CHECKSUM=1' },
  },
  {
    sql: 'CREATE TABLE n (a INT) ENGINE=InnoDB `PAGE_COMPRESSED`=1',
    servers: 'mariadb',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT) ENGINE=InnoDB `PAGE_COMPRESSED`=1' },
    renamed: { sql: 'CREATE TABLE n (a INT) ENGINE=InnoDB `PAGE_COMPRESSED`=1' },
    columns: { sql: 'CREATE TABLE n (a INT) ENGINE=InnoDB `PAGE_COMPRESSED`=1' },
  },
  {
    sql: 'CREATE TABLE n (a INT, KEY k (a) IGNORED)',
    servers: 'mariadb',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT, KEY k (a) IGNORED)' },
    renamed: { sql: 'CREATE TABLE n (a INT, KEY k (a) IGNORED)' },
    columns: { sql: 'CREATE TABLE n (a INT, KEY k (a) IGNORED)' },
  },
  {
    sql: 'CREATE TABLE n (a INT, vi INT VISIBLE)',
    servers: 'mysql',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT, vi INT VISIBLE)' },
    renamed: { sql: 'CREATE TABLE n (a INT, vi INT VISIBLE)' },
    columns: { sql: 'CREATE TABLE n (a INT, vi INT VISIBLE)' },
  },
  {
    sql: 'CREATE TABLE n (\n  `id` int NOT NULL,\n  `note` text\n) START TRANSACTION',
    servers: 'none',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (\n  `id` int NOT NULL,\n  `note` text\n) ' },
    renamed: { sql: 'CREATE TABLE n (\n  `id` int NOT NULL,\n  `note` text\n) ' },
    columns: { sql: 'CREATE TABLE n (\n  `id` int NOT NULL,\n  `note` text\n) ' },
  },
  {
    sql: 'CREATE TABLE `n` (\n  `id` int(11) NOT NULL DEFAULT 0,\n  `b` varchar(50) DEFAULT NULL\n)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: 'CREATE TABLE `n` (\n  `id` int(11) NOT NULL DEFAULT 0,\n  `b` varchar(50) DEFAULT NULL\n)',
    },
    renamed: {
      sql: 'CREATE TABLE `n` (\n  `id` int(11) NOT NULL DEFAULT 0,\n  `b` varchar(50) DEFAULT NULL\n)',
    },
    columns: {
      sql: 'CREATE TABLE `n` (\n  `id` int(11) NOT NULL DEFAULT 0,\n  `b` varchar(50) DEFAULT NULL\n)',
    },
  },
  {
    sql: "CREATE TABLE n (a INT COMMENT 'CREATE TABLE x (`y` INT)')",
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: "CREATE TABLE n (a INT COMMENT 'CREATE TABLE x (`y` INT)')" },
    renamed: { sql: "CREATE TABLE n (a INT COMMENT 'CREATE TABLE x (`y` INT)')" },
    columns: { sql: "CREATE TABLE n (a INT COMMENT 'CREATE TABLE x (`y` INT)')" },
  },
  {
    sql: 'CREATE TABLE crm.n (id INT)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['crm.n'], reads: [] },
    plain: 'nothing',
    renamed: 'nothing',
    columns: 'nothing',
  },
  {
    sql: 'CREATE TABLE x_new (id INT)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.x_new'], reads: [] },
    plain: 'nothing',
    renamed: 'nothing',
    columns: 'nothing',
  },
  {
    sql: 'CREATE TEMPORARY TABLE n (id INT)',
    servers: 'both',
    reading: { nothing: 'a temporary table' },
    plain: 'nothing',
    renamed: 'nothing',
    columns: 'nothing',
  },
  {
    sql: 'CREATE TABLE n (SERIAL_NO SERIAL, b INT UNIQUE KEY)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (SERIAL_NO SERIAL, b INT UNIQUE KEY)' },
    renamed: { sql: 'CREATE TABLE n (SERIAL_NO SERIAL, b INT UNIQUE KEY)' },
    columns: { sql: 'CREATE TABLE n (SERIAL_NO SERIAL, b INT UNIQUE KEY)' },
  },
  {
    sql: 'CREATE TABLE n (year INT, month INT, day INT, `key` INT, CHECK (year > 0 AND month BETWEEN 1 AND 12))',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: {
      sql: 'CREATE TABLE n (year INT, month INT, day INT, `key` INT, CHECK (year > 0 AND month BETWEEN 1 AND 12))',
    },
    renamed: {
      sql: 'CREATE TABLE n (year INT, month INT, day INT, `key` INT, CHECK (year > 0 AND month BETWEEN 1 AND 12))',
    },
    columns: {
      sql: 'CREATE TABLE n (year INT, month INT, day INT, `key` INT, CHECK (year > 0 AND month BETWEEN 1 AND 12))',
    },
  },
  {
    sql: 'CREATE TABLE n (a INT, b INT AS (n.a + shop.n.a) VIRTUAL)',
    servers: 'none',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a INT, b INT AS (n.a + shop.n.a) VIRTUAL)' },
    renamed: { sql: 'CREATE TABLE n (a INT, b INT AS (n.a + `store`.n.a) VIRTUAL)' },
    columns: { sql: 'CREATE TABLE n (a INT, b INT AS (n.a + shop.n.a) VIRTUAL)' },
  },
  {
    sql: 'CREATE TABLE n (a DATETIME DEFAULT (CURRENT_TIMESTAMP + INTERVAL 1 DAY), b INT)',
    servers: 'both',
    reading: { kind: 'create-table', changes: ['shop.n'], reads: [] },
    plain: { sql: 'CREATE TABLE n (a DATETIME DEFAULT (CURRENT_TIMESTAMP + INTERVAL 1 DAY), b INT)' },
    renamed: { sql: 'CREATE TABLE n (a DATETIME DEFAULT (CURRENT_TIMESTAMP + INTERVAL 1 DAY), b INT)' },
    columns: { sql: 'CREATE TABLE n (a DATETIME DEFAULT (CURRENT_TIMESTAMP + INTERVAL 1 DAY), b INT)' },
  },
];
