//! Wildcards over anything: characters of a segment, segments of a path.

/// The classic wildcard match: after a mismatch only the last star seen needs to take one more, so the cost is
/// at most `pattern.len() * items.len()` whatever a client puts into a key.
pub(super) fn wildcard<P, T>(
    pattern: &[P],
    items: &[T],
    is_star: impl Fn(&P) -> bool,
    one: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut p, mut i) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while i < items.len() {
        match pattern.get(p) {
            Some(s) if is_star(s) => {
                last_star = Some((p, i));
                p += 1;
            }
            Some(s) if one(s, &items[i]) => {
                p += 1;
                i += 1;
            }
            _ => match last_star {
                Some((star, from)) => {
                    last_star = Some((star, from + 1));
                    p = star + 1;
                    i = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(is_star)
}

/// Whether some sequence matches both patterns. A star takes any number of items; `one` says whether two that are no
/// stars can be the same item. The cost is the product of the lengths.
pub(super) fn meet<P>(one: &[P], other: &[P], is_star: impl Fn(&P) -> bool, same: impl Fn(&P, &P) -> bool) -> bool {
    // `row[j]`: the rest of `one` from here meets the rest of `other` from j.
    let mut below: Vec<bool> = (0..=other.len()).map(|j| other[j..].iter().all(&is_star)).collect();
    for (i, p) in one.iter().enumerate().rev() {
        let mut row = vec![false; other.len() + 1];
        row[other.len()] = one[i..].iter().all(&is_star);
        for (j, q) in other.iter().enumerate().rev() {
            row[j] = match (is_star(p), is_star(q)) {
                (false, false) => same(p, q) && below[j + 1],
                _ => below[j] || row[j + 1],
            };
        }
        below = row;
    }
    below[0]
}
