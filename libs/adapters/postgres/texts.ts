/** SQL: a timestamptz as events and answers have it, ISO 8601 in UTC with milliseconds. */
export function isoText(column: string): string {
  return `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

/** SQL: bytes as events have them, base64url. */
export function base64UrlText(column: string): string {
  return `translate(rtrim(encode(${column}, 'base64'), '='), '+/', '-_')`;
}
