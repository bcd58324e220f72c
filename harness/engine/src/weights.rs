//! Weights as safetensors: names, shapes and types are compared before a single value is copied.

use std::{borrow::Cow, path::Path};

use clmbench_protocol::{Failure, FailureKind};
use safetensors::{Dtype, SafeTensors, View};
use tch::{Kind, Tensor};

use crate::{
    failure::{OrFail, Result, io},
    model::Parameter,
};

/// The bytes of a float32 tensor on the CPU, contiguous.
pub fn bytes_of(tensor: &Tensor) -> Vec<u8> {
    let tensor = tensor.detach().to_device(tch::Device::Cpu).contiguous();
    let mut bytes = vec![0_u8; tensor.numel() * 4];
    tensor.copy_data_u8(&mut bytes, tensor.numel());
    bytes
}

struct Plain {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Plain {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes named float32 tensors; returns the BLAKE3 of the file.
///
/// # Errors
/// [`FailureKind::Io`] naming the path.
pub fn write(path: &Path, tensors: &[(String, &Tensor)]) -> Result<String> {
    let rows = tensors.iter().map(|(name, tensor)| {
        let shape = tensor.size().iter().map(|side| *side as usize).collect();
        (name.clone(), Plain { shape, bytes: bytes_of(tensor) })
    });
    let metadata = Some([("format".to_owned(), "pt".to_owned())].into_iter().collect());
    let bytes = safetensors::serialize(rows, metadata)
        .map_err(|error| Failure::new(FailureKind::Io, format!("{} cannot be written: {error}", path.display())))?;
    crate::files::write(path, &bytes)?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

fn corrupt(path: &Path, what: &str) -> Failure {
    Failure::new(FailureKind::CorruptFile, format!("{}: {what}", path.display()))
}

/// Reads named float32 tensors.
///
/// # Errors
/// [`FailureKind::CorruptFile`] naming file and tensor.
pub fn read(path: &Path) -> Result<Vec<(String, Tensor)>> {
    parse(path, &std::fs::read(path).map_err(|error| io(path, "reading", &error))?)
}

/// [`read`] of a file with this digest, by name.
///
/// # Errors
/// [`FailureKind::CorruptFile`] also for another digest.
pub fn read_with(path: &Path, digest: &str) -> Result<Vec<(String, Tensor)>> {
    let bytes = std::fs::read(path).map_err(|error| io(path, "reading", &error))?;
    expect(path, &bytes, digest)?;
    parse(path, &bytes)
}

fn expect(path: &Path, bytes: &[u8], digest: &str) -> Result<()> {
    let found = blake3::hash(bytes).to_hex();
    if found.as_str() == digest {
        return Ok(());
    }
    Err(corrupt(path, &format!("digest {found}, not {digest}: it was changed or damaged; run again to rebuild it")))
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| {
        corrupt(path, &format!("not a whole safetensors file ({error}): it was changed or damaged; run again to rebuild it"))
    })?;
    let mut rows = Vec::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(corrupt(path, &format!("tensor `{name}` is {:?}, not F32", view.dtype())));
        }
        let shape: Vec<i64> = view.shape().iter().map(|side| *side as i64).collect();
        rows.push((name, Tensor::f_from_data_size(view.data(), &shape, Kind::Float).or_fail()?));
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(rows)
}

/// Copies the tensors of a file with this digest into parameters of the same names and shapes.
///
/// # Errors
/// [`FailureKind::CorruptFile`] naming the file, and missing, unexpected and mis-shaped tensors if there are any, or else
/// the digest; nothing is copied then.
pub fn read_into(path: &Path, digest: &str, parameters: &[&Parameter]) -> Result<()> {
    let bytes = std::fs::read(path).map_err(|error| io(path, "reading", &error))?;
    let rows = parse(path, &bytes)?;
    let find = |name: &str| rows.binary_search_by(|row| row.0.as_str().cmp(name)).ok().map(|index| &rows[index].1);
    let mut wrong = Vec::new();
    for row in parameters {
        match find(&row.name) {
            None => wrong.push(format!("`{}` is missing", row.name)),
            Some(tensor) if tensor.size() != row.tensor.size() => {
                wrong.push(format!("`{}` has shape {:?}, not {:?}", row.name, tensor.size(), row.tensor.size()));
            }
            Some(_) => {}
        }
    }
    let extra = rows.iter().filter(|(name, _)| !parameters.iter().any(|row| row.name == *name));
    wrong.extend(extra.map(|(name, _)| format!("`{name}` is unexpected")));
    if !wrong.is_empty() {
        return Err(corrupt(path, &(wrong.join("; ") + "; run again to rebuild it")));
    }
    expect(path, &bytes, digest)?;
    let _guard = tch::no_grad_guard();
    for row in parameters {
        if let Some(tensor) = find(&row.name) {
            row.tensor.shallow_clone().f_copy_(tensor).or_fail()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_api::Role;
    use tch::Tensor;

    use super::{read_into, write};
    use crate::model::Parameter;

    fn parameter(name: &str, values: &[f32]) -> Parameter {
        let tensor = Tensor::from_slice(values).set_requires_grad(true);
        Parameter { name: name.into(), role: Role::Weight, tensor }
    }

    #[test]
    fn weights_come_back_bit_for_bit_with_the_same_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let source = Tensor::from_slice(&[0.1_f32, -3.5e-20, 7.0]);
        let digest = write(&path, &[("a.weight".into(), &source)]).unwrap();
        assert_eq!(digest, crate::files::digest_of(&path).unwrap());
        let target = parameter("a.weight", &[0.0; 3]);
        read_into(&path, &digest, &[&target]).unwrap();
        assert!(target.tensor.equal(&source));
        // One value changed: every tensor is there and in shape, and still nothing is copied.
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let message = read_into(&path, &digest, &[&target]).unwrap_err().message;
        assert!(message.contains("model.safetensors") && message.contains("changed or damaged"), "{message}");
        assert!(target.tensor.equal(&source));
    }

    #[test]
    fn missing_unexpected_misshaped_and_truncated_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        write(
            &path,
            &[
                ("a".into(), &Tensor::zeros([1, 4], tch::kind::FLOAT_CPU)),
                ("x".into(), &Tensor::zeros([2], tch::kind::FLOAT_CPU)),
            ],
        )
        .unwrap();
        let (a, b) = (parameter("a", &[0.0; 4]), parameter("b", &[0.0; 2]));
        let targets = [&a, &b];
        let message = read_into(&path, "", &targets).unwrap_err().message;
        for part in ["`a` has shape [1, 4], not [4]", "`b` is missing", "`x` is unexpected"] {
            assert!(message.contains(part), "{message}");
        }
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let message = read_into(&path, "", &targets).unwrap_err().message;
        assert!(message.contains("model.safetensors: not a whole safetensors file"), "{message}");
    }
}
