/** Where a drill's deployment listens: apart from `npm start`, from test deployments and from the bench's. */
export const drillPortBase = Number(process.env['HOMEWARD_DRILL_PORT_BASE'] ?? 15_000);
