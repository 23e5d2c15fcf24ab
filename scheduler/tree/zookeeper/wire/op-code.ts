/** Request types of ZooKeeper 3.8 (`ZooDefs.OpCode`) that Holt sends. */
export const opCodes = {
  error: -1,
  create: 1,
  exists: 3,
  getData: 4,
  setData: 5,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  delete: 2,
  closeSession: -11,
  removeWatches: 18,
  setAuth: 100,
  setWatches: 101,
} as const;

/** Reserved request ids: answers that are not to a request of the ordinary sequence. */
export const reservedXids = {
  notification: -1,
  ping: -2,
  auth: -4,
  setWatches: -8,
} as const;
