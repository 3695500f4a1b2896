import { ForwardOnly } from './forward-only.js';

/** When an incident opened, was reachable and closed by the peer's clock, so that its two sides are one however far the clocks are apart. */
export class IncidentClocks1798500000000 extends ForwardOnly {
  readonly name = 'IncidentClocks1798500000000';
  protected readonly statements = ['ALTER TABLE incident ADD COLUMN peer_opened_at timestamptz, ADD COLUMN peer_reachable_at timestamptz, ADD COLUMN peer_closed_at timestamptz'];
}
