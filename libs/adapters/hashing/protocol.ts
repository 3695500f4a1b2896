/** What the service asks its hashing child, and what it answers. */
export interface HashJobMessage {
  readonly id: number;
  readonly password: string;
  /** The hash to compare with; absent where one is to be made. */
  readonly against?: string;
}

export type HashReplyMessage = { readonly id: number; readonly hash: string } | { readonly id: number; readonly matches: boolean } | { readonly id: number; readonly failed: string };
