import { Controller, Get, Res, ServiceUnavailableException } from '@nestjs/common';
import { HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';
import type { FastifyReply } from 'fastify';
import { KafkaPort } from '#adapters/kafka';
import { Peers } from '#adapters/peer-client';
import { Database } from '#adapters/postgres';
import { RedisStore } from '#adapters/redis';

/** Liveness and readiness: PostgreSQL and its migrations decide; Kafka, Redis and peers are told as degraded. */
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly database: Database,
    private readonly redis: RedisStore,
    private readonly kafka: KafkaPort,
    private readonly peers: Peers,
  ) {}

  @Get('live')
  live() {
    return { status: 'ok' };
  }

  /** Kafka, Redis and peers show as degraded, which answers 200; only PostgreSQL makes it 503. */
  @Get('ready')
  async ready(@Res({ passthrough: true }) reply: FastifyReply) {
    try {
      return await this.health.check([
        () => this.postgres(),
        () => this.part('redis', this.redis.connected),
        () => this.part('kafka', this.kafka.healthy),
        ...this.peers.all.map((peer) => () => this.part(`peer-${peer.name}`, peer.linkUp)),
      ]);
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error;
      void reply.code(503);
      return error.getResponse();
    }
  }

  private part(name: string, up: boolean) {
    const indicator = this.indicators.check(name);
    return up ? indicator.up() : indicator.degraded({ message: 'not reachable' });
  }

  private async postgres() {
    const indicator = this.indicators.check('postgres');
    if (!this.database.ready) return indicator.down({ message: this.database.problem ?? 'not connected or not migrated yet' });
    return this.database.query('SELECT 1').then(() => indicator.up(), () => indicator.down({ message: 'not reachable' }));
  }
}
