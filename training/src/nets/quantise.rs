//! Weights as 8-bit levels.

/// Rounds weights to -127..=127 times a scale per output channel.
pub fn quantise(values: &[f32], dims: &[usize], channel_axis: usize) -> (Vec<i8>, Vec<f32>) {
    let n_channels = dims[channel_axis];
    let stride: usize = dims[channel_axis + 1..].iter().product();
    let channel = |i: usize| i / stride % n_channels;
    let mut channels = vec![Vec::new(); n_channels];
    values.iter().enumerate().for_each(|(i, &v)| channels[channel(i)].push(v));
    let scales: Vec<f32> = channels.iter().map(|values| best_scale(values)).collect();
    let levels = values.iter().enumerate().map(|(i, &v)| level(v, scales[channel(i)])).collect();
    (levels, scales)
}

/// The scale with the smallest squared rounding error: a few large weights may be clipped for the good of the rest.
fn best_scale(values: &[f32]) -> f32 {
    let largest = values.iter().fold(0.0_f32, |largest, v| largest.max(v.abs()));
    if largest == 0.0 {
        return 1.0;
    }
    let error = |scale: f32| -> f32 {
        values.iter().map(|&v| (f32::from(level(v, scale)) * scale - v).powi(2)).sum()
    };
    let candidates = (10..=20).map(|i| largest / 127.0 * i as f32 / 20.0);
    candidates.min_by(|&a, &b| error(a).total_cmp(&error(b))).unwrap_or(largest / 127.0)
}

fn level(value: f32, scale: f32) -> i8 {
    (value / scale).round().clamp(-127.0, 127.0) as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantised_weights_stay_within_half_a_level() {
        // Two input and three output channels with very different ranges.
        let weights = [1.0, -100.0, 0.01, -0.5, 50.0, 0.003];
        let (levels, scales) = quantise(&weights, &[2, 3], 1);
        for (i, weight) in weights.iter().enumerate() {
            let scale = scales[i % 3];
            assert!((f32::from(levels[i]) * scale - weight).abs() <= 0.51 * scale, "weight {i}");
            assert!(scale * 127.0 <= weights[i % 3].abs().max(weights[i % 3 + 3].abs()) * 1.0001);
        }
    }

    #[test]
    fn a_channel_of_zeros_stays_zero() {
        assert_eq!(quantise(&[0.0; 4], &[2, 2], 0), (vec![0; 4], vec![1.0; 2]));
    }
}
