/** Payload type under which members sign their update headers (DSSE); what it covers is in docs/wire-formats.md. */
export const UPDATE_HEADER_TYPE = "application/vnd.fedclave.update-header.v1";
