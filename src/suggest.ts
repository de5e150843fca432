/** "Did you mean": the known words closest to a mistyped one. */

/** Edits (insert, delete, replace, swap neighbours) between two words: the optimal string alignment distance. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let prev = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(prev[j] + 1, row[j - 1] + 1, prev[j - 1] + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    before = prev;
    prev = row;
  }
  return prev[b.length];
}

/** Up to three known words near `word`, nearest first; a word that starts with it counts as near. */
export function suggest(word: string, known: readonly string[]): string[] {
  if (word.length < 3 || word.length > 40)
    return known.filter((k) => k.startsWith(word) && word !== "" && word !== "-").slice(0, 3);
  const limit = Math.max(1, Math.floor(word.length / 3));
  return known
    .map((k) => ({
      k,
      d: word.length > 1 && k.startsWith(word) ? 0 : editDistance(word.toLowerCase(), k.toLowerCase()),
    }))
    .filter(({ d }) => d <= limit)
    .sort((x, y) => x.d - y.d)
    .slice(0, 3)
    .map(({ k }) => k);
}

/** `Did you mean a, b or c?`, or the fallback when nothing is near. */
export function didYouMean(word: string, known: readonly string[], fallback: string): string {
  const near = suggest(word, known);
  if (near.length === 0) return fallback;
  return `Did you mean ${near.length > 1 ? `${near.slice(0, -1).join(", ")} or ` : ""}${near.at(-1)}?`;
}
