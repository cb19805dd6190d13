/** Numbers of `schemoe_status`. @module */

/** Numbers of `schemoe_status`. */
export const Status = {
  ok: 0,
  invalid: 1,
  outOfMemory: 2,
  cancelled: 3,
  timeLimit: 4,
  hostFailed: 5,
  unsupported: 6,
  device: 7,
  closed: 8,
  busy: 9,
  peer: 10,
  notFinite: 11,
  noRoom: 12,
} as const;
