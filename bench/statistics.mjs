// Turns the samples of one row into the lines of its table: best and median of each subject, their ratios, and the
// verdict on each target. A target is met only if both ratios meet it; knows nothing of how samples were taken.

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function summary(values, better) {
  const best = better === 'more' ? Math.max(...values) : Math.min(...values);
  return { best, median: median(values) };
}

function verdict(target, best, middle) {
  if (target.atMost === undefined && target.atLeast === undefined) return 'for information';
  const meets = (value) => (target.atMost === undefined ? value >= target.atLeast : value <= target.atMost);
  if (meets(best) && meets(middle)) return 'met';
  return meets(best) ? 'missed by median' : meets(middle) ? 'missed by best' : 'missed';
}

/**
 * One line per comparison. `figures` maps a subject's label to `{ samples, walls }` or `{ skipped: why }`; a
 * comparison without `against` holds the figure itself against the limit.
 */
export function compare(row, figures) {
  return row.comparisons.map((comparison) => {
    const { of = 'millrace', against } = comparison;
    const better = comparison.better ?? row.better;
    const own = figures[of];
    const other = against === undefined ? undefined : figures[against];
    const skipped = own?.skipped ?? other?.skipped;
    const line = { row: row.name, of, against, figure: comparison.figure ?? row.figure };
    Object.assign(line, { atMost: comparison.atMost, atLeast: comparison.atLeast });
    if (own?.samples) line.own = summary(own.samples, better);
    if (other?.samples) line.other = summary(other.samples, better);
    if (own?.walls) line.ownWall = median(own.walls);
    if (other?.walls) line.otherWall = median(other.walls);
    if (skipped !== undefined) return { ...line, verdict: `skipped: ${skipped}` };
    const best = other ? line.own.best / line.other.best : line.own.best;
    const middle = other ? line.own.median / line.other.median : line.own.median;
    return {
      ...line,
      ratio: other ? { best, median: middle } : undefined,
      verdict: verdict(comparison, best, middle),
    };
  });
}
