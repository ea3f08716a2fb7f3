//! Deals the units out to the shards, on every machine in the same way.

/// The shard of each unit: the heaviest unit first, each to the shard that has the least so far. Of equal units the one
/// that is listed first comes first, and of equal shards the first.
pub(super) fn assign(weights: &[u64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    // Stable, so equal units stay in their order.
    order.sort_by_key(|&unit| std::cmp::Reverse(weights[unit]));
    let (mut loads, mut shards) = (vec![0u64; count], vec![0; weights.len()]);
    for unit in order {
        let (least, load) = match loads.iter_mut().enumerate().min_by_key(|(_, load)| **load) {
            Some(found) => found,
            None => break,
        };
        shards[unit] = least;
        // Units without a size, such as missing files, count as well.
        *load = load.saturating_add(weights[unit].max(1));
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_units_are_spread_and_small_ones_fill_up() {
        assert_eq!(assign(&[5, 90, 10, 60, 30], 2), [1, 0, 0, 1, 1]);
        assert_eq!(assign(&[0, 0, 0, 0], 4), [0, 1, 2, 3]);
        assert_eq!(assign(&[7, 7], 5), [0, 1]);
        assert!(assign(&[], 3).is_empty());
    }

    #[test]
    fn no_shard_has_much_more_than_another() {
        let weights: Vec<u64> = (0..480).map(|i| 1_000 + i * 37 % 4_000).collect();
        let shards = assign(&weights, 7);
        let mut loads = [0; 7];
        shards.iter().zip(&weights).for_each(|(&shard, weight)| loads[shard] += weight);
        let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
        assert!(most - least <= 4_999, "{loads:?}");
    }
}
