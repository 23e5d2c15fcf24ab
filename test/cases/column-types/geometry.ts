import { chanceFloat } from './chance-values.ts';
import {
  between,
  type CaseServer,
  type CaseValue,
  type ColumnCase,
  type ColumnTypeFamily,
  EVERYWHERE,
} from './column-type-case.ts';

const FAMILY: ColumnTypeFamily = 'Geometry and VECTOR';
const SHAPES = [
  'POINT(1 2)',
  'POINT(-0.5 1e300)',
  'LINESTRING(0 0,1 1,2 2)',
  'POLYGON((0 0,10 0,10 10,0 10,0 0),(2 2,3 2,3 3,2 3,2 2))',
  'MULTIPOINT(0 0,20 20,60 60)',
  'MULTILINESTRING((10 10,20 20),(15 15,30 15))',
  'MULTIPOLYGON(((0 0,1 0,1 1,0 1,0 0)),((5 5,7 5,7 7,5 7,5 5)))',
  'GEOMETRYCOLLECTION(POINT(10 10),LINESTRING(15 15,20 20))',
];

function fromText(server: CaseServer, text: string, srid = ''): string {
  return `${server === 'mysql56' ? 'GeomFromText' : 'ST_GeomFromText'}('${text}'${srid})`;
}

function shape(text: string, srid = ''): CaseValue {
  return Object.fromEntries(EVERYWHERE.map((server) => [server, fromText(server, text, srid)]));
}

const typed = SHAPES.slice(2).map((text): ColumnCase => {
  const type = /^[A-Z]+/.exec(text)?.[0].toLowerCase() ?? '';
  return {
    kind: 'column',
    id: type,
    title: 'POINT, LINESTRING, POLYGON, MULTI…, GEOMETRYCOLLECTION',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: type,
    values: [shape(text)],
    random: (_, server) => fromText(server, text),
  };
});

export const GEOMETRY_CASES: readonly ColumnCase[] = [
  {
    kind: 'column',
    id: 'geometry',
    title: 'GEOMETRY',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: 'geometry',
    values: SHAPES.map((text) => shape(text)),
    random: (chance, server) => fromText(server, `POINT(${chance.int(-180, 180)} ${chance.int(-90, 90)})`),
  },
  {
    kind: 'column',
    id: 'geometry_srid',
    title: 'GEOMETRY with an SRID',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: 'geometry',
    values: [shape('POINT(1 2)', ', 4326')],
    random: (chance, server) =>
      fromText(server, `POINT(${chance.int(-80, 80)} ${chance.int(-80, 80)})`, ', 4326'),
  },
  {
    kind: 'column',
    id: 'point',
    title: 'POINT, LINESTRING, POLYGON, MULTI…, GEOMETRYCOLLECTION',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: 'point',
    values: [shape('POINT(1 2)')],
    random: (chance, server) => fromText(server, `POINT(${chance.int(-180, 180)} ${chance.int(-90, 90)})`),
  },
  ...typed,
  {
    kind: 'column',
    id: 'vector',
    title: 'VECTOR',
    family: FAMILY,
    on: ['mysql'],
    ddl: 'vector(3)',
    values: ["STRING_TO_VECTOR('[1,2,3]')", "STRING_TO_VECTOR('[0,-1.5,1e10]')", "STRING_TO_VECTOR('[0.1]')"],
    random: (chance) => `STRING_TO_VECTOR('[${chanceFloat(chance)},${chance.next()},${-chance.next()}]')`,
    pairs: between(['mysql'], ['mysql56', 'mariadb'], {
      kind: 'exact',
      ddl: 'varbinary(12)',
      why: 'the target has no VECTOR: the same bytes go into VARBINARY or a BLOB',
    }),
  },
];
