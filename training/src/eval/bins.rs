//! What a net says of itself against what is true, in ten bins.

use serde::Serialize;

use crate::metrics::mean;

const N_BINS: usize = 10;

/// Some answers that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// How many there are.
    pub n: usize,
    /// The mean of what was said.
    pub said: f64,
    /// The mean of what was true.
    pub was: f64,
}

impl Bin {
    fn of(pairs: &[(f32, f32)]) -> Self {
        let of = |value: fn(&(f32, f32)) -> f32| mean(pairs.iter().map(|pair| f64::from(value(pair))));
        Self { n: pairs.len(), said: of(|pair| pair.0), was: of(|pair| pair.1) }
    }
}

/// Bins of equal width, for what is said from 0 to 1. Those that nothing falls into are left out.
pub fn by_width(pairs: &[(f32, f32)]) -> Vec<Bin> {
    let bin_of = |said: f32| ((said * N_BINS as f32) as usize).min(N_BINS - 1);
    (0..N_BINS)
        .map(|i| Bin::of(&pairs.iter().copied().filter(|pair| bin_of(pair.0) == i).collect::<Vec<_>>()))
        .filter(|bin| bin.n > 0)
        .collect()
}

/// Bins of equally many, from the least that was said to the most.
pub fn by_rank(mut pairs: Vec<(f32, f32)>) -> Vec<Bin> {
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let size = pairs.len().div_ceil(N_BINS).max(1);
    pairs.chunks(size).map(Bin::of).collect()
}

/// Prints them for people.
pub fn print(bins: &[Bin], n: &str, said: &str, was: &str) {
    println!("| {n} | {said} | {was} |\n|---|---|---|");
    bins.iter().for_each(|bin| println!("| {} | {:.3} | {:.3} |", bin.n, bin.said, bin.was));
    let total: usize = bins.iter().map(|bin| bin.n).sum();
    let off: f64 = bins.iter().map(|bin| bin.n as f64 * (bin.said - bin.was).abs()).sum();
    println!("{:.3} off on average", off / total.max(1) as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_answers_are_together() {
        let pairs = [(0.05, 0.0), (0.97, 1.0), (1.0, 0.0), (0.06, 1.0)];
        let bins = by_width(&pairs);
        assert_eq!(bins.iter().map(|bin| (bin.n, bin.was)).collect::<Vec<_>>(), [(2, 0.5), (2, 0.5)]);
        assert!((bins[0].said - 0.055).abs() < 1e-6 && (bins[1].said - 0.985).abs() < 1e-6);
        let many = (0..25).rev().map(|i| (i as f32, 2.0 * i as f32)).collect();
        let bins = by_rank(many);
        assert_eq!(bins.iter().map(|bin| bin.n).collect::<Vec<_>>(), [3, 3, 3, 3, 3, 3, 3, 3, 1]);
        assert_eq!((bins[0].said, bins[0].was, bins[8].was), (1.0, 2.0, 48.0));
        assert!(by_rank(Vec::new()).is_empty());
    }
}
