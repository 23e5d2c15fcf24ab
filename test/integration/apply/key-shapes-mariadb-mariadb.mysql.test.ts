import { describeKeyShapes } from './key-shapes.ts';

const pair = { source: 'mariadb', target: 'mariadb' } as const;
describeKeyShapes({ pair, image: 'FULL' });
describeKeyShapes({ pair, image: 'FULL', rowEvents: true });
