export { isFresh, type Channel, type ChannelView } from './freshness.js';
export { SignIn, type SignedIn, type SignInRequest } from './sign-in.js';
