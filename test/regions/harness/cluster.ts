import kafkajs, { type Kafka as Client } from 'kafkajs';
import type { World } from './world.js';

const { Kafka, logLevel } = kafkajs;
const PATIENCE = { connectionTimeout: 2_000, requestTimeout: 5_000, retry: { retries: 5, initialRetryTime: 100, maxRetryTime: 500 } };

/** One message as it lies in Kafka. */
export interface Stored {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: Buffer;
}

/** A region's own Kafka as its operator sees it, over the plain listener on loopback. */
export class Cluster {
  private readonly client: Client;

  constructor(world: World, region: string) {
    this.client = new Kafka({ clientId: 'homeward-test', brokers: [`127.0.0.1:${world.ports(region).kafka}`], logLevel: logLevel.NOTHING, ...PATIENCE });
  }

  /** Stores values in one partition, in order. */
  async produce(topic: string, partition: number, values: readonly Buffer[]): Promise<void> {
    const producer = this.client.producer({ allowAutoTopicCreation: false, createPartitioner: () => ({ message }) => message.partition! });
    await producer.connect();
    try {
      await producer.send({ topic, acks: -1, messages: values.map((value) => ({ key: null, value, partition })) });
    } finally {
      await producer.disconnect();
    }
  }

  /** The first and the next offset of each partition. */
  async offsets(topic: string): Promise<{ partition: number; low: number; high: number }[]> {
    return this.administer(async (admin) => (await admin.fetchTopicOffsets(topic)).map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) })));
  }

  /** Deletes everything that is stored now, as retention would in time. */
  async deleteRecords(topic: string): Promise<void> {
    await this.administer(async (admin) => {
      // Asking for the offsets also makes kafkajs learn who leads the partitions, which the deletion needs and does not ask for.
      const ends = await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: ends.map(({ partition, high }) => ({ partition, offset: high })) });
    });
  }

  /** Makes a topic of one partition. */
  async createTopic(topic: string): Promise<void> {
    await this.administer((admin) => admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }], waitForLeaders: true }));
  }

  /** Deletes topics; a service that misses them makes them anew. */
  async deleteTopics(topics: readonly string[]): Promise<void> {
    await this.administer((admin) => admin.deleteTopics({ topics: [...topics], timeout: PATIENCE.requestTimeout }));
  }

  /** Everything that a topic holds now. */
  async read(topic: string): Promise<Stored[]> {
    const ends = (await this.offsets(topic)).filter(({ low, high }) => low < high);
    const missing = new Map(ends.map(({ partition, high }) => [partition, high]));
    const stored: Stored[] = [];
    if (missing.size === 0) return stored;
    const consumer = this.client.consumer({ groupId: `homeward-test-${process.pid}-${performance.now()}`, maxWaitTimeInMs: 100 });
    await consumer.connect();
    try {
      await consumer.subscribe({ topic, fromBeginning: true });
      await new Promise<void>((resolve, reject) => {
        const eachMessage = async ({ partition, message: { offset, key, value } }: { partition: number; message: { offset: string; key: Buffer | null; value: Buffer | null } }) => {
          stored.push({ partition, offset: Number(offset), key: key?.toString() ?? null, value: value ?? Buffer.alloc(0) });
          if (Number(offset) >= missing.get(partition)! - 1) missing.delete(partition);
          if (missing.size === 0) resolve();
        };
        consumer.run({ eachMessage, autoCommit: false }).catch(reject);
      });
    } finally {
      await consumer.disconnect();
    }
    return stored;
  }

  private async administer<T>(work: (admin: ReturnType<Client['admin']>) => Promise<T>): Promise<T> {
    const admin = this.client.admin();
    await admin.connect();
    try {
      return await work(admin);
    } finally {
      await admin.disconnect();
    }
  }
}
