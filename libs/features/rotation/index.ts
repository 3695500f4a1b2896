export { Certificates } from './certificates.js';
export { MacKeyFile } from './mac-key-file.js';
