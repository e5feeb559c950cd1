/** How many times longer than elsewhere things may take: an emulated machine sets SAMPAN_TEST_PATIENCE. */
export const patience = Math.max(1, Number(process.env['SAMPAN_TEST_PATIENCE']) || 1);
