import { describeCore } from '../../support/engine/core.ts';

describeCore('core on overlay', { driver: 'overlay' });
