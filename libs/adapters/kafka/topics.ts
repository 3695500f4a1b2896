import type { Kafka as KafkaClient } from 'kafkajs';
import { PARTITIONS, STREAMS, type StreamName } from '#kernel/wire';

/** Short life of heartbeats: only the newest is ever read. */
const HEARTBEAT_RETENTION_MS = 60_000;
/** Longest wait for the controller to make a topic. */
const CREATE_TIMEOUT_MS = 5_000;

export const HEARTBEATS_TOPIC = 'homeward.heartbeats';

export function topicOf(stream: StreamName): string {
  return `homeward.${stream}`;
}

/** What is read of a peer's cluster. */
export const READ_TOPICS: readonly string[] = [...STREAMS.map(topicOf), HEARTBEATS_TOPIC];

/** A pattern that matches these topics and no other. */
export function oneOf(topics: readonly string[]): RegExp {
  return new RegExp(`^(${topics.map((topic) => topic.replaceAll('.', '\\.')).join('|')})$`);
}

/** The stream that a topic carries; undefined for heartbeats and strangers. */
export function streamOf(topic: string): StreamName | undefined {
  return STREAMS.find((stream) => topicOf(stream) === topic);
}

/**
 * Makes the topics that are missing and adds missing partitions, in the own cluster. Numbers are ours, so a topic made
 * anew, empty, is as good as the old one (design, rule 3).
 * @returns the names of the topics that were made
 */
export async function createMissingTopics(client: KafkaClient, replication: number): Promise<string[]> {
  const admin = client.admin();
  await admin.connect();
  const present = new Set(await admin.listTopics());
  const missing = wantedTopics(replication).filter(({ topic }) => !present.has(topic));
  if (missing.length > 0) await admin.createTopics({ topics: missing, timeout: CREATE_TIMEOUT_MS, waitForLeaders: true });
  const streams = STREAMS.map(topicOf).filter((topic) => present.has(topic));
  const { topics } = streams.length > 0 ? await admin.fetchTopicMetadata({ topics: streams }) : { topics: [] };
  const narrow = topics.filter(({ partitions }) => partitions.length < PARTITIONS);
  if (narrow.length > 0) await admin.createPartitions({ topicPartitions: narrow.map(({ name }) => ({ topic: name, count: PARTITIONS })) });
  await admin.disconnect();
  return missing.map(({ topic }) => topic);
}

function wantedTopics(replication: number) {
  const copies = { replicationFactor: replication };
  // With three copies an acknowledgement means two disks; with fewer this would only make writes fail.
  const durable = [{ name: 'min.insync.replicas', value: replication >= 3 ? '2' : '1' }];
  const brief = [
    { name: 'retention.ms', value: String(HEARTBEAT_RETENTION_MS) },
    { name: 'segment.ms', value: String(HEARTBEAT_RETENTION_MS) },
  ];
  return [
    ...STREAMS.map((stream) => ({ topic: topicOf(stream), numPartitions: PARTITIONS, ...copies, configEntries: durable })),
    { topic: HEARTBEATS_TOPIC, numPartitions: 1, ...copies, configEntries: brief },
  ];
}
