import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
// Bare but for the mend of its idle timers, which would otherwise take the generator's time.
import '#adapters/kafka';
import kafkajs, { type Consumer, type Producer } from 'kafkajs';
import { linkPort, planPorts } from '../../../apps/local/ports.js';
import type { World } from '../../regions/harness/world.js';

const { Kafka, logLevel } = kafkajs;
const JOIN_MS = 15_000;
const PARTITIONS = 4;

/** A topic with nothing around it: produced in its region, consumed across the link as that region's peer would. */
export class BareStream {
  private readonly producer: Producer;
  private readonly consumer: Consumer;
  private readonly arrived = new Map<string, (atMs: number) => void>();
  readonly topic = `homeward.bench-${randomBytes(4).toString('hex')}`;

  constructor(private readonly world: World, private readonly from: string, to: string) {
    this.producer = client(world, from).producer({ allowAutoTopicCreation: false, createPartitioner: () => ({ message }) => message.partition! });
    const port = linkPort(planPorts(world.address.portBase, world.regions), to, from, 'kafka');
    const tls = join(world.address.data, 'tls');
    this.consumer = new Kafka({
      clientId: 'bench', brokers: [`127.0.0.1:${port}`], logLevel: logLevel.NOTHING,
      ssl: { ca: readFileSync(join(tls, 'ca.crt'), 'utf8'), cert: readFileSync(join(tls, `${to}.crt`), 'utf8'), key: readFileSync(join(tls, `${to}.key`), 'utf8'), servername: from },
    }).consumer({ groupId: this.topic, maxWaitTimeInMs: 400 });
  }

  async start(): Promise<void> {
    await makeTopic(this.world, this.from, this.topic);
    await this.producer.connect();
    await this.consumer.connect();
    await this.consumer.subscribe({ topic: this.topic, fromBeginning: true });
    const joined = new Promise<void>((resolve, reject) => {
      setTimeout(() => reject(new Error('the bare consumer did not join')), JOIN_MS).unref();
      this.consumer.on(this.consumer.events.GROUP_JOIN, () => resolve());
    });
    await this.consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: PARTITIONS,
      eachMessage: async ({ message }) => this.arrived.get(message.key!.toString())?.(performance.now()),
    });
    await joined;
  }

  /** @returns ms from the call to the arrival */
  async pass(key: string, value: Buffer, partition: number): Promise<number> {
    const startMs = performance.now();
    const arrival = new Promise<number>((resolve) => this.arrived.set(key, resolve));
    await this.producer.send({ topic: this.topic, acks: -1, messages: [{ key, value, partition }] });
    const tookMs = (await arrival) - startMs;
    this.arrived.delete(key);
    return tookMs;
  }

  async stop(): Promise<void> {
    await this.producer.disconnect();
    await this.consumer.disconnect();
  }
}

/** kafkajs alone: batches to each partition, one under way per partition. @returns messages per second */
export async function produceAlone(world: World, region: string, value: Buffer, count: number, batch: number): Promise<number> {
  const topic = `bench-${randomBytes(4).toString('hex')}`;
  await makeTopic(world, region, topic);
  const producer = client(world, region).producer({ allowAutoTopicCreation: false, createPartitioner: () => ({ message }) => message.partition! });
  await producer.connect();
  try {
    await producer.send({ topic, acks: -1, messages: Array.from({ length: PARTITIONS }, (_, partition) => ({ key: 'first', value, partition })) });
    const startMs = performance.now();
    await Promise.all(Array.from({ length: PARTITIONS }, async (_, partition) => {
      for (let sent = 0; sent < count / PARTITIONS; sent += batch) {
        const messages = Array.from({ length: Math.min(batch, count / PARTITIONS - sent) }, () => ({ key: '00000000-0000-7000-8000-000000000000', value, partition }));
        await producer.send({ topic, acks: -1, messages });
      }
    }));
    return count / ((performance.now() - startMs) / 1_000);
  } finally {
    await producer.disconnect();
  }
}

/** How many messages each partition of a topic has ever been given, summed. */
export class TopicWatch {
  private readonly admin;

  constructor(world: World, region: string, private readonly topic: string) {
    this.admin = client(world, region).admin();
  }

  async start(): Promise<void> {
    await this.admin.connect();
  }

  async count(): Promise<number> {
    return (await this.admin.fetchTopicOffsets(this.topic)).reduce((sum, { high }) => sum + Number(high), 0);
  }

  async stop(): Promise<void> {
    await this.admin.disconnect();
  }
}

function client(world: World, region: string) {
  return new Kafka({ clientId: 'bench', brokers: [`127.0.0.1:${world.ports(region).kafka}`], logLevel: logLevel.NOTHING });
}

async function makeTopic(world: World, region: string, topic: string): Promise<void> {
  const admin = client(world, region).admin();
  await admin.connect();
  try {
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: PARTITIONS, replicationFactor: 1 }] });
  } finally {
    await admin.disconnect();
  }
}
