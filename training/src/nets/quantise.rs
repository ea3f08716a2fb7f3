//! Weights as 8-bit levels.

/// Rounds weights to -127..=127 times a scale per channel along an axis.
pub fn quantise(values: &[f32], dims: &[usize], axis: usize) -> (Vec<i8>, Vec<f32>) {
    let channel = channel_along(dims, axis);
    let scales: Vec<f32> = channels(values, dims, axis).iter().map(|values| best_scale(values)).collect();
    let levels = values.iter().enumerate().map(|(i, &v)| level(v, scales[channel(i)])).collect();
    (levels, scales)
}

/// The axis of a fully connected layer's weights, `[inputs, outputs]`, along which they are less alike. Inputs of which some
/// are a hundred times smaller than others have weights that are as much larger; with one scale per output these would drown the rest.
pub fn uneven_axis(values: &[f32], dims: &[usize]) -> usize {
    let spread = |axis: usize| {
        let sizes =
            channels(values, dims, axis).into_iter().map(|values| largest(&values)).filter(|&v| v > 0.0);
        let logs: Vec<f32> = sizes.map(f32::ln).collect();
        let mean = logs.iter().sum::<f32>() / logs.len().max(1) as f32;
        logs.iter().map(|log| (log - mean).powi(2)).sum::<f32>() / logs.len().max(1) as f32
    };
    usize::from(spread(0) <= spread(1))
}

/// From a weight's index to its channel's.
fn channel_along(dims: &[usize], axis: usize) -> impl Fn(usize) -> usize {
    let (n_channels, stride) = (dims[axis], dims[axis + 1..].iter().product::<usize>());
    move |i| i / stride % n_channels
}

/// The weights of each channel.
fn channels(values: &[f32], dims: &[usize], axis: usize) -> Vec<Vec<f32>> {
    let channel = channel_along(dims, axis);
    let mut channels = vec![Vec::new(); dims[axis]];
    values.iter().enumerate().for_each(|(i, &v)| channels[channel(i)].push(v));
    channels
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0_f32, |largest, v| largest.max(v.abs()))
}

/// The scale with the smallest squared rounding error: a few large weights may be clipped for the good of the rest.
fn best_scale(values: &[f32]) -> f32 {
    let largest = largest(values);
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
    fn scales_lie_along_the_axis_that_is_less_even() {
        let by_input = [100.0, -90.0, 80.0, 0.1, 0.2, -0.1, 0.0, 0.0, 0.0];
        let by_output: Vec<f32> = (0..9).map(|i| by_input[i % 3 * 3 + i / 3]).collect();
        assert_eq!((uneven_axis(&by_input, &[3, 3]), uneven_axis(&by_output, &[3, 3])), (0, 1));
        // Where it makes no difference, along the outputs as in convolutions.
        assert_eq!((uneven_axis(&[1.0; 6], &[2, 3]), uneven_axis(&[0.0; 6], &[2, 3])), (1, 1));
        let (levels, scales) = quantise(&by_input, &[3, 3], 0);
        assert!(
            (0..9)
                .all(|i| (f32::from(levels[i]) * scales[i / 3] - by_input[i]).abs() <= 0.51 * scales[i / 3])
        );
    }

    #[test]
    fn a_channel_of_zeros_stays_zero() {
        assert_eq!(quantise(&[0.0; 4], &[2, 2], 0), (vec![0; 4], vec![1.0; 2]));
    }
}
