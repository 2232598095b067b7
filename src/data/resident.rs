//! A split that lives on a device: its batches are selected, augmented and normalised there, and equal
//! to the bit those that the host makes. Knows nothing of records or of when it is worth it.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::augment::View;
use super::split::Batch;

/// What every backend computes integers in without being asked for more.
const INT: DType = DType::I32;

/// The images and labels of a split on a device.
#[derive(Clone, Debug)]
pub(super) struct Resident {
    /// The pixels, `[image, channel, row, column]`, four to a number with the first lowest: a byte
    /// each on every backend, also where there is no type of eight bits.
    words: Tensor<1, Int>,
    /// `[image]`.
    labels: Tensor<1, Int>,
    /// `[channel * 256]`: what each pixel of each channel becomes.
    scaled: Tensor<1>,
    /// Of an image, `[channels, height, width]`.
    shape: [usize; 3],
}

impl Resident {
    /// Uploads `pixels`, `[image, channel, row, column]`, with the `labels` of the images and what
    /// each pixel of each channel becomes.
    pub fn upload(
        pixels: &[u8],
        labels: &[i64],
        scaled: &[f32],
        shape: [usize; 3],
        device: &Device,
    ) -> Self {
        let word = |pixels: &[u8]| {
            let mut bytes = [0; 4];
            bytes[..pixels.len()].copy_from_slice(pixels);
            i32::from_le_bytes(bytes)
        };
        let words: Vec<i32> = pixels.chunks(4).map(word).collect();
        Self {
            words: ints(words, device),
            labels: Tensor::from_data(labels, device),
            scaled: Tensor::from_data(scaled, device),
            shape,
        }
    }

    /// The batch of the images `indices`, in that order, each as its view of `views` shows it.
    ///
    /// Four numbers an image go to the device, nothing comes back.
    pub fn batch(&self, indices: &[usize], views: &[View]) -> Batch {
        let [channels, height, width] = self.shape;
        let count = indices.len();
        let plan = indices.iter().zip(views).flat_map(|(index, view)| {
            // The column that column 0 shows, and where the next one lies.
            let (left, step) = match view.flip {
                false => (view.right, 1),
                true => (width as isize - 1 - view.right, -1),
            };
            [*index as isize, view.down, left, step].map(|number| number as i32)
        });
        let device = self.words.device();
        let plan = ints(plan.collect(), &device).reshape([count, 4]);
        let part = |number| plan.clone().narrow(1, number, 1).reshape([count, 1, 1, 1]);
        let [image, top, left, step] = [0, 1, 2, 3].map(part);
        let along = |size: usize| Tensor::<1, Int>::arange(0..size as i64, (&device, INT));

        let rows = along(height).reshape([1, 1, height, 1]).add(top);
        let columns = along(width).reshape([1, 1, 1, width]).mul(step).add(left);
        let (rows, in_rows) = clamped(rows, height);
        let (columns, in_columns) = clamped(columns, width);
        let channel = along(channels).reshape([1, channels, 1, 1]);
        let plane = image.mul_scalar(channels as i32).add(channel.clone());
        let row = plane.mul_scalar(height as i32).add(rows);
        let pixel = row.mul_scalar(width as i32).add(columns);

        let shape = [count, channels, height, width];
        let flat = [count * channels * height * width];
        let word = pixel.clone().bitwise_right_shift_scalar(2).reshape(flat);
        let shift = pixel.bitwise_and_scalar(3).mul_scalar(8).reshape(flat);
        let value = self.words.clone().select(0, word);
        let value = value.bitwise_right_shift(shift).bitwise_and_scalar(255);
        // Padding is black, a raw 0.
        let value = value.reshape(shape).mul(in_rows.mul(in_columns));
        let entry = channel.mul_scalar(256).add(value).reshape(flat);
        Batch {
            images: self.scaled.clone().select(0, entry).reshape(shape),
            labels: self
                .labels
                .clone()
                .select(0, plan.narrow(1, 0, 1).reshape([count])),
        }
    }
}

fn ints(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let len = values.len();
    Tensor::from_data(TensorData::new(values, [len]), (device, INT))
}

/// `places` moved into `0..size`, and 1 where they were there already, else 0.
fn clamped(places: Tensor<4, Int>, size: usize) -> (Tensor<4, Int>, Tensor<4, Int>) {
    let inside = places.clone().clamp(0, size as i32 - 1);
    let stayed = inside.clone().equal(places).int().cast(INT);
    (inside, stayed)
}
