/** Where the bench's deployment listens: apart from `npm start` and from test deployments. */
export const benchPortBase = Number(process.env['HOMEWARD_BENCH_PORT_BASE'] ?? 13_000);
/** Where the report is written, as JSON. */
export const benchReport = process.env['HOMEWARD_BENCH_REPORT'] ?? 'bench-report.json';
