export { Certificates, type CertificateStatus } from './certificates.js';
export { MacKeyFile } from './mac-key-file.js';
