/** Where test deployments listen: apart from `npm start`, and movable so that two checkouts can be tested at once. */
export const portBase = Number(process.env['HOMEWARD_TEST_PORT_BASE'] ?? 7_000);
