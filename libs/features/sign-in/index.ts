export { isFresh, type Channel, type ChannelView } from './freshness.js';
export { SignIn } from './sign-in.js';
