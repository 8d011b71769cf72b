// Medians, and the table of a bench.

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** @typedef {'ours' | 'peer' | 'limit'} Column */

/** @param {string} metric its name ends in its unit @returns {string} */
const unitOf = (metric) => (metric.endsWith('_bytes') ? 'bytes' : 'ms')

/** Samples by metric and column. */
export class Samples {
  constructor() {
    /** @type {Map<string, Record<Column, number[]>>} */
    this.metrics = new Map()
  }

  /**
   * @param {string} metric
   * @param {Column} column
   * @param {number | null} value
   */
  add(metric, column, value) {
    const row = this.metrics.get(metric) ?? { ours: [], peer: [], limit: [] }
    if (value !== null) row[column].push(value)
    this.metrics.set(metric, row)
  }

  /** @returns {Record<string, { ours: number | null, peer: number | null, limit: number | null, unit: string }>} */
  report() {
    /** @param {number[]} values */
    const middle = (values) => (values.length > 0 ? Math.round(median(values) * 1000) / 1000 : null)
    return Object.fromEntries(
      [...this.metrics].map(([metric, { ours, peer, limit }]) => [
        metric,
        { ours: middle(ours), peer: middle(peer), limit: middle(limit), unit: unitOf(metric) },
      ]),
    )
  }

  /** @returns {string} one line per metric with medians and ranges */
  table() {
    /** @param {number[]} values */
    const cell = (values) =>
      values.length === 0
        ? '-'.padStart(26)
        : `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)}..${Math.max(...values).toFixed(2)})`.padStart(26)
    const lines = [...this.metrics].map(
      ([metric, { ours, peer, limit }]) => `${metric.padEnd(28)}${cell(ours)}${cell(peer)}${cell(limit)}`,
    )
    return [`${'metric'.padEnd(28)}${'ours'.padStart(26)}${'peer'.padStart(26)}${'limit'.padStart(26)}`, ...lines].join('\n')
  }
}
