//! Bytes to numbers: the mean and deviation of each channel, and images scaled by them. Knows
//! nothing of splits or devices.

use super::augment::View;
use super::raw::Raw;

/// The scaling of each channel: `(pixel - mean) / std` of the records it was measured on.
#[derive(Debug)]
pub(super) struct Normaliser {
    channels: Vec<Channel>,
}

/// The statistics of a channel in units of the raw pixels, and what each pixel becomes.
#[derive(Debug)]
pub(super) struct Channel {
    pub mean: f64,
    pub std: f64,
    table: [f32; 256],
}

impl Normaliser {
    /// Measures the images `records` of `raw`.
    pub fn measure(raw: &Raw, records: &[u32]) -> Self {
        let [channels, height, width] = raw.shape;
        // Counts are exact, so the result does not depend on the order of the records.
        let mut counts = vec![[0u64; 256]; channels];
        for record in records {
            let planes = raw.image(*record as usize).chunks_exact(height * width);
            for (count, plane) in counts.iter_mut().zip(planes) {
                for pixel in plane {
                    count[usize::from(*pixel)] += 1;
                }
            }
        }
        Self {
            channels: counts.iter().map(Channel::new).collect(),
        }
    }

    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// What each of the 256 pixels becomes, channel after channel.
    pub fn scaled(&self) -> Vec<f32> {
        self.channels.iter().flat_map(|c| c.table).collect()
    }

    /// Writes `image`, `[channel, row, column]`, as `view` shows it, to `out`, `[row, column, channel]`.
    /// Padding is black (a raw 0), as in torchvision.
    pub fn write(&self, image: &[u8], width: usize, view: View, out: &mut [f32]) {
        let channels = self.channels.len();
        let plane = image.len() / channels;
        let (before, shown, _) = view.columns(width);
        let planes = self.channels.iter().zip(image.chunks_exact(plane));
        for (index, (channel, plane)) in planes.enumerate() {
            let black = channel.scaled(0);
            for (row, out) in out.chunks_exact_mut(width * channels).enumerate() {
                let mut out = out[index..].iter_mut().step_by(channels);
                let mut fill = |count| out.by_ref().take(count).for_each(|out| *out = black);
                let Some(row) = view.source_row(row, plane.len() / width) else {
                    fill(width);
                    continue;
                };
                fill(before);
                let row = &plane[row * width..][..width];
                if view.flip {
                    let mirrored = row[width - shown.end..width - shown.start].iter().rev();
                    mirrored
                        .zip(out.by_ref())
                        .for_each(|(p, out)| *out = channel.scaled(*p));
                } else {
                    let pixels = row[shown.clone()].iter();
                    pixels
                        .zip(out.by_ref())
                        .for_each(|(p, out)| *out = channel.scaled(*p));
                }
                out.for_each(|out| *out = black);
            }
        }
    }
}

impl Channel {
    fn new(counts: &[u64; 256]) -> Self {
        let total = counts.iter().sum::<u64>().max(1) as f64;
        let average = |f: &dyn Fn(f64) -> f64| {
            let weighted = counts.iter().enumerate();
            weighted.map(|(v, n)| f(v as f64) * *n as f64).sum::<f64>() / total
        };
        let mean = average(&|v| v);
        let std = average(&|v| (v - mean).powi(2)).sqrt();
        // A constant channel carries nothing; dividing by 1 keeps it at 0 rather than NaN.
        let divisor = if std > 0.0 { std } else { 1.0 };
        Self {
            mean,
            std,
            table: std::array::from_fn(|v| ((v as f64 - mean) / divisor) as f32),
        }
    }

    fn scaled(&self, pixel: u8) -> f32 {
        self.table[usize::from(pixel)]
    }
}
