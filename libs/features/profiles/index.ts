export { EditProfile } from './edit-profile.js';
export { type ProfileFields, mergeProfiles, toFields } from './merge.js';
export { applyPatch, parsePatch, profilePatchSchema, type ProfilePatch } from './patch.js';
export { ProfileReader } from './read-profile.js';
