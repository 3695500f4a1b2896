import type { Clock } from '#kernel/clock';
import { hashedId } from '#kernel/ids';
import type { Logger } from '#kernel/telemetry';
import type { IncidentRows, WatchPeers } from '../incidents/index.js';
import type { AnnouncementRows } from './announcement-rows.js';
import type { AnnouncementTexts } from './merge-announcements.js';

/** What can be said of any cut, whatever its cause; an operator who knows more publishes it in place of this. */
const TEXTS: AnnouncementTexts = {
  en: {
    title: 'Some of our regions can’t reach each other',
    body: 'You can sign in and use your account as usual. New registrations and password changes may be refused for now, and transfers may wait until the connection is back. Nothing that was confirmed to you is lost.',
  },
  zh: {
    title: '部分区域之间的连接中断',
    body: '您可以照常登录和使用账户。目前新注册和更改密码可能会被拒绝，转账可能需要等到连接恢复后才能完成。已向您确认的操作不会丢失。',
  },
};

/** Drafts an announcement by itself when a peer has been away for long, and withdraws it when its incident is over. */
export class AnnounceIncidents {
  constructor(
    private readonly options: { readonly afterMs: number; readonly publish: boolean },
    private readonly rows: AnnouncementRows,
    private readonly incidents: IncidentRows,
    private readonly watch: WatchPeers,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** One round. */
  async look(): Promise<void> {
    const at = new Date(this.clock.wallMs()).toISOString();
    const away = this.watch.awayFor(this.options.afterMs);
    const open = away.length === 0 ? [] : await this.incidents.open();
    for (const { id: incident, peer } of open.filter(({ peer }) => away.includes(peer))) {
      const id = hashedId('announcement', 'incident', incident);
      const drafted = await this.rows.add({ id, incident, texts: TEXTS }, this.options.publish ? ['published'] : [], at);
      if (drafted) this.logger.warn({ peer, incident, announcement: id, published: this.options.publish }, 'an announcement was drafted: the peer has been unreachable for long');
    }
    const over = await this.rows.over();
    if (over.length > 0) await this.rows.act(over, 'withdrawn', at);
  }
}
