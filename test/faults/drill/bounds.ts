/** What the contract and the table of faults promise in time, as the checks judge it. */

/** Added to each promise: drills share two cores with three databases, three brokers and the traffic itself. */
const BUSY_MS = 3_000;

/** An old password elsewhere, and sessions made with it: 1 s while the link is up, 2 s of healing (contract; faults, 11). */
export const PASSWORD_ENDS_MS = 2_000 + BUSY_MS;
/** A session that was ended, at its origin and wherever it was cached (contract, `DELETE /v1/sessions/current`). */
export const SESSION_ENDS_MS = 5_000 + BUSY_MS;
/** After a fault its own recovery is not counted as another one: a part that was killed is back within 10 s (faults, 14 and 22). */
export const RECOVERED_MS = 10_000 + BUSY_MS;
/** What one region knows of an account the others know too, where nothing stands between them. */
export const KNOWN_EVERYWHERE_MS = 2_000 + BUSY_MS;
/** The longest budget is a write's; the first second of a silent cut may find out the slow way (contract, "What works when"). */
export const LONGEST_CALL_MS = 3_000 + BUSY_MS;
/** From then on a refusal is immediate: the heartbeat is older than 1 s, and the breaker is open. */
export const CUT_IS_KNOWN_MS = 1_500 + BUSY_MS;
export const IMMEDIATE_MS = 1_000;
/** Both heartbeats are older than 1 s: no session is `full` by what is known here. */
export const HEARTBEAT_OLD_MS = 1_000 + BUSY_MS;
/** I3 for an order that was queued: settled so soon after the healing, and then only told. */
export const TRANSFER_SETTLES_MS = 5_000;
/** I6: p99 within 1.5 times the control run, or within 20 ms of it. */
export const LATENCY_RATIO = 1.5;
export const LATENCY_SLACK_MS = 20;
/** Services that have just started compile what they run for the first time: until then their latency is no control run's. */
export const WARM_MS = 30_000;
/** Below so many calls a p99 is the slowest call, which says nothing. */
export const LATENCY_LEAST_CALLS = 100;
