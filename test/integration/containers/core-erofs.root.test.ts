import { describeCore } from '../../support/engine/core.ts';

describeCore('core on erofs', { driver: 'erofs' });
