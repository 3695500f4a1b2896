import type { Channel, OutsideMessage, Sending } from '#adapters/channels';
import type { Database } from '#adapters/postgres';
import { Pause } from '#kernel/clock';
import type { Logger } from '#kernel/telemetry';
import { mergeProfiles, type ProfileReader, toFields } from '../profiles/index.js';
import { backoffMs } from './backoff.js';
import type { Claim, DeliveryQueue } from './delivery-queue.js';
import { noticeLocale, renderNotice } from './render-notice.js';

/** Longest wait for a receiver; it can't be waited for longer without holding up the others. */
const SEND_MS = 5_000;
/** Longer than a sending and its mark, so that nobody else begins while this one may still succeed. */
const LEASE_MS = 10_000;
/** Sent at the same time by one process. */
const AT_ONCE = 16;
/** The net under the wakes: what this region wrote itself, retries, another process's leases. */
const POLL_MS = 500;

const LOAD = {
  name: 'delivery-load',
  text: `
  SELECT DISTINCT ON (n.id) n.id, n.kind, n.account, n.body, n.created_at, a.identifier FROM notification n JOIN account a ON a.id = n.account
  WHERE n.region = ANY ($1) AND n.id = ANY ($2) ORDER BY n.id, n.created_at, n.region`,
};

interface Loaded {
  readonly id: string;
  readonly kind: string;
  readonly account: string;
  readonly body: Record<string, unknown>;
  readonly created_at: Date;
  readonly identifier: string;
}

/**
 * Delivers by one channel what is queued at the accounts' home. At least once: killed between the receiver's
 * acknowledgement and the mark here, it sends again, under the same id (docs/decisions/0014).
 */
export class Deliver {
  readonly id: string;
  private readonly pause = new Pause();
  private stopping = false;
  private loop: Promise<void> | undefined;

  constructor(
    private readonly own: { readonly regions: readonly string[]; readonly currency: string; readonly attempts: number },
    private readonly channel: Channel,
    private readonly database: Database,
    private readonly queue: DeliveryQueue,
    private readonly profiles: ProfileReader,
    private readonly logger: Logger,
  ) {
    this.id = `deliver-${channel.name}`;
    database.listener.on('homeward_arrived', (payload) => {
      if (payload === undefined || payload.startsWith('notification:')) this.pause.wake();
    });
  }

  run(): void {
    this.loop = this.work();
  }

  /** Ends after what is under way. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.pause.wake();
    await this.loop;
  }

  private async work(): Promise<void> {
    while (!this.stopping) {
      const claimed = await this.round().catch((error: unknown) => {
        this.logger.debug({ err: error, channel: this.channel.name }, 'deliveries are left to the next round');
        return 0;
      });
      if (claimed < AT_ONCE && !this.stopping) await this.pause.wait(POLL_MS);
    }
  }

  /** @returns how many were claimed */
  private async round(): Promise<number> {
    const claims = await this.queue.claim(this.channel.name, LEASE_MS, AT_ONCE);
    if (claims.length === 0) return 0;
    const loaded = await this.database.query<Loaded>(LOAD, [this.own.regions, claims.map(({ notification }) => notification)]);
    const byId = new Map(loaded.map((row) => [row.id, row]));
    await Promise.all(claims.map((claim) => this.deliver(claim, byId.get(claim.notification)).catch((error: unknown) =>
      this.logger.debug({ err: error, channel: this.channel.name }, 'a delivery is left until its lease is over'))));
    return claims.length;
  }

  private async deliver(claim: Claim, row: Loaded | undefined): Promise<void> {
    const { name } = this.channel;
    if (claim.attempts > this.own.attempts) return this.failed(claim, { outcome: 'unknown', why: 'the last attempt was not ended' });
    if (row === undefined) return this.failed(claim, { outcome: 'unknown', why: 'the notification or its account is not here' });
    if (!this.channel.reaches(row.identifier)) return this.queue.skipped(name, claim);
    const sending = await this.channel.send(await this.messageOf(row), SEND_MS);
    if (sending.outcome === 'acknowledged') return this.queue.acknowledged(name, claim);
    await this.failed(claim, sending);
  }

  private async failed(claim: Claim, sending: Exclude<Sending, { outcome: 'acknowledged' }>): Promise<void> {
    const { notification, account, attempts } = claim;
    const forGood = sending.outcome === 'refused' && sending.forGood;
    const againMs = forGood ? undefined : this.againMs(claim);
    await this.queue.failed(this.channel.name, claim, sending.why, againMs);
    const about = { notification, account, channel: this.channel.name, attempts, why: sending.why };
    if (againMs === undefined) this.logger.error(about, 'a notification could not be delivered and is kept aside');
    else this.logger.warn({ ...about, againMs }, 'a notification is delivered later');
  }

  private againMs({ attempts }: Claim): number | undefined {
    return attempts >= this.own.attempts ? undefined : backoffMs(attempts);
  }

  private async messageOf({ id, kind, account, body, created_at: createdAt, identifier }: Loaded): Promise<OutsideMessage> {
    const locale = noticeLocale(toFields(mergeProfiles(await this.profiles.rows(account))).locale);
    const { title, body: text } = renderNotice(kind, body, locale, this.own.currency);
    return { id, kind, account, identifier, locale, title, body: text, createdAt: createdAt.toISOString(), data: body };
  }
}
