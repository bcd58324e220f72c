//! Values of a tensor as 32-bit numbers.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use crate::{
    error::{CheckpointError, shown},
    header::{Dtype, TensorInfo},
};

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// Values of a tensor, in the order of the file (row-major), as 32-bit numbers. F16 and BF16 are exact; F64 is rounded to the nearest.
/// Reads its range only, and needs memory for the result and 1 MiB.
///
/// # Errors
/// [`CheckpointError::Dtype`] for other number formats, [`CheckpointError::Memory`] if there is none, [`CheckpointError::Io`] if the file cannot be read or
/// has become shorter.
pub fn read_tensor(tensor: &TensorInfo) -> Result<Vec<f32>, CheckpointError> {
    let convert: fn(&[u8]) -> f32 = match tensor.dtype {
        Dtype::F32 => |bytes| f32::from_le_bytes(array(bytes)),
        Dtype::F64 => |bytes| f64::from_le_bytes(array(bytes)) as f32,
        Dtype::F16 => |bytes| half(u16::from_le_bytes(array(bytes))),
        Dtype::Bf16 => |bytes| f32::from_bits(u32::from(u16::from_le_bytes(array(bytes))) << 16),
        other => return Err(CheckpointError::Dtype { tensor: shown(&tensor.name), dtype: other.name() }),
    };
    let memory = || CheckpointError::Memory { tensor: shown(&tensor.name), bytes: tensor.elements().saturating_mul(4) };
    let mut values = Vec::new();
    values.try_reserve_exact(usize::try_from(tensor.elements()).map_err(|_| memory())?).map_err(|_| memory())?;
    let mut file = File::open(&tensor.file).map_err(CheckpointError::io("open", &tensor.file))?;
    file.seek(SeekFrom::Start(tensor.offsets.0)).map_err(CheckpointError::io("read", &tensor.file))?;
    let mut left = tensor.offsets.1 - tensor.offsets.0;
    let width = tensor.dtype.bytes() as usize;
    let mut chunk = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
    while left > 0 {
        let size = CHUNK.min(usize::try_from(left).unwrap_or(CHUNK));
        file.read_exact(&mut chunk[..size]).map_err(CheckpointError::io("read", &tensor.file))?;
        values.extend(chunk[..size].chunks_exact(width).map(convert));
        left -= size as u64;
    }
    Ok(values)
}

/// The first N bytes; callers give as many.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

/// An IEEE 754 half: 1 bit sign, 5 bits exponent (bias 15), 10 bits fraction.
fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (u32::from(bits >> 15) << 31, u32::from(bits >> 10 & 31), u32::from(bits & 1023));
    let rest = match exponent {
        // A subnormal number is fraction x 2^-24, exact in 32 bits.
        0 => (fraction as f32 * 2.0_f32.powi(-24)).to_bits(),
        31 => 255 << 23 | fraction << 13,
        _ => (exponent + 112) << 23 | fraction << 13,
    };
    f32::from_bits(sign | rest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(dtype: Dtype, bytes: &[u8]) -> Result<Vec<f32>, CheckpointError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut all = vec![255; 3];
        all.extend(bytes);
        all.extend([255; 5]);
        std::fs::write(file.path(), all).unwrap();
        let info = TensorInfo {
            name: "t".into(),
            dtype,
            shape: vec![bytes.len() as u64 / dtype.bytes()],
            offsets: (3, 3 + bytes.len() as u64),
            file: file.path().to_owned(),
        };
        read_tensor(&info)
    }

    #[test]
    fn every_half_is_what_the_standard_says() {
        for bits in 0..=u16::MAX {
            let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
            let size = match exponent {
                0 => fraction / 1024.0 * 2_f64.powi(-14),
                31 if fraction > 0.0 => f64::NAN,
                31 => f64::INFINITY,
                _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
            };
            let wanted = if bits >> 15 == 1 { -size } else { size };
            let ours = f64::from(half(bits));
            assert!(
                ours == wanted && ours.is_sign_negative() == (bits >> 15 == 1) || ours.is_nan() && wanted.is_nan(),
                "{bits:#x}"
            );
        }
    }

    #[test]
    fn four_formats_are_read() {
        let values = [0.0_f32, -0.0, 1.5, -3.25e-30, f32::MAX, f32::INFINITY];
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(read(Dtype::F32, &bytes).unwrap(), values);
        let bytes: Vec<u8> = [0.1_f64, -1e300].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(read(Dtype::F64, &bytes).unwrap(), [0.1, f32::NEG_INFINITY]);
        assert_eq!(read(Dtype::F16, &[0x00, 0x3c, 0x00, 0xc0]).unwrap(), [1.0, -2.0]);
        assert_eq!(read(Dtype::Bf16, &[0x80, 0x3f, 0x49, 0x40]).unwrap(), [1.0, 3.140625]);
        assert!(read(Dtype::F32, &[]).unwrap().is_empty());
    }

    #[test]
    fn a_tensor_of_several_chunks() {
        let count = CHUNK / 4 * 2 + 5;
        let bytes: Vec<u8> = (0..count).flat_map(|index| (index as f32).to_le_bytes()).collect();
        let values = read(Dtype::F32, &bytes).unwrap();
        assert!(values.len() == count && values.iter().enumerate().all(|(index, value)| *value == index as f32));
    }

    #[test]
    fn others_and_cut_files_are_refused() {
        let text = read(Dtype::I8, &[0]).unwrap_err().to_string();
        assert_eq!(text, "tensor `t` holds I8 values; F32, F16, BF16 and F64 are read: save the model in one of them");
        let file = tempfile::NamedTempFile::new().unwrap();
        let info = |end| TensorInfo {
            name: "t".into(),
            dtype: Dtype::F32,
            shape: vec![end / 4],
            offsets: (0, end),
            file: file.path().into(),
        };
        assert!(matches!(read_tensor(&info(4)), Err(CheckpointError::Io { .. })));
        assert!(matches!(read_tensor(&info(1 << 60)), Err(CheckpointError::Memory { .. })));
    }
}
