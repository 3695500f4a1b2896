import kafkajs from 'kafkajs';

const CONNECT_MS = 2_000;
const REQUEST_MS = 5_000;
/** A broker that has just begun to answer may not have its controller yet. */
const RETRIES = 8;

/**
 * Lets each peer read what crosses region borders, topics and groups whose names begin with `homeward.`, and nothing
 * else. Given again it changes nothing. @param broker the plain listener on loopback, whose clients may do everything
 */
export async function grantPeers(broker: string, peers: readonly string[]): Promise<void> {
  const { Kafka, logLevel, AclResourceTypes, AclOperationTypes, AclPermissionTypes, ResourcePatternTypes } = kafkajs;
  const client = new Kafka({
    clientId: 'homeward-local',
    brokers: [broker],
    connectionTimeout: CONNECT_MS,
    requestTimeout: REQUEST_MS,
    retry: { retries: RETRIES, initialRetryTime: 200, maxRetryTime: 1_000 },
    logLevel: logLevel.NOTHING,
  });
  const admin = client.admin();
  await admin.connect();
  try {
    const acl = peers.flatMap((peer) =>
      [AclResourceTypes.TOPIC, AclResourceTypes.GROUP].map((resourceType) => ({
        resourceType,
        resourceName: 'homeward.',
        resourcePatternType: ResourcePatternTypes.PREFIXED,
        principal: `User:${peer}`,
        host: '*',
        operation: AclOperationTypes.READ,
        permissionType: AclPermissionTypes.ALLOW,
      })),
    );
    if (acl.length > 0) await admin.createAcls({ acl });
  } finally {
    await admin.disconnect();
  }
}
