/**
 * Attaching: both programs of an instance at a NIC's clsact qdisc, by tc, under a preference and a handle of guelab's own so
 * that other filters stay as they are.
 */

/** Where guelab's filters stand: `tc filter show dev NIC ingress` shows them under these numbers ("gu", "gue"). */
export const FILTER_PREF = 0x6775;
export const FILTER_HANDLE = 0x677565;
