import { PAIRS, ROW_IMAGES } from '../../cases/key-shapes/key-case.ts';
import { describeKeyShapes } from './key-shapes.ts';

for (const pair of PAIRS) {
  for (const image of ROW_IMAGES) describeKeyShapes({ pair, image, everyCut: image === 'FULL' });
  describeKeyShapes({ pair, image: 'FULL', everyCut: true, rowEvents: true });
}
