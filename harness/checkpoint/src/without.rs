//! A safetensors file without some of its tensors.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use serde_json::{Map, Value, json};

use crate::{
    error::CheckpointError,
    header::{TensorInfo, header},
};

/// What `transformers` asks of the metadata of a file that it opens.
const FORMAT: (&str, &str) = ("format", "pt");

/// Writes a file like `from` to `to`, which must not be there, without the tensors of which `left_out` is true: the others with the same
/// bytes in the same order. Needs memory for the header alone. Gives the names of what was left out, sorted.
///
/// # Errors
/// [`CheckpointError::Header`] for a file that is not sound; [`CheckpointError::Io`].
pub fn write_without(from: &Path, to: &Path, left_out: impl Fn(&str) -> bool) -> Result<Vec<String>, CheckpointError> {
    let (gone, mut kept): (Vec<TensorInfo>, Vec<TensorInfo>) =
        header(from)?.into_iter().partition(|tensor| left_out(&tensor.name));
    kept.sort_by(|a, b| (a.offsets, &a.name).cmp(&(b.offsets, &b.name)));
    let mut entries = Map::from_iter([("__metadata__".to_owned(), json!({FORMAT.0: FORMAT.1}))]);
    let mut at = 0;
    for tensor in &kept {
        let bytes = tensor.offsets.1 - tensor.offsets.0;
        let entry = json!({"dtype": tensor.dtype.name(), "shape": tensor.shape, "data_offsets": [at, at + bytes]});
        entries.insert(tensor.name.clone(), entry);
        at += bytes;
    }
    let mut text = Value::Object(entries).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' '); // so that the data begins at a multiple of 8, as the reference writer has it
    let mut source = File::open(from).map_err(CheckpointError::io("open", from))?;
    let target = File::create_new(to).map_err(CheckpointError::io("write", to))?;
    let mut target = BufWriter::with_capacity(1 << 20, target);
    let put = |target: &mut BufWriter<File>, bytes: &[u8]| target.write_all(bytes).map_err(CheckpointError::io("write", to));
    put(&mut target, &(text.len() as u64).to_le_bytes())?;
    put(&mut target, &text)?;
    for tensor in &kept {
        let bytes = tensor.offsets.1 - tensor.offsets.0;
        source.seek(SeekFrom::Start(tensor.offsets.0)).map_err(CheckpointError::io("read", from))?;
        let copied = io::copy(&mut (&mut source).take(bytes), &mut target).map_err(CheckpointError::io("copy to", to))?;
        if copied != bytes {
            return Err(CheckpointError::header(&tensor.name, "it became shorter while it was read"));
        }
    }
    let file = target.into_inner().map_err(|error| CheckpointError::io("write", to)(error.into_error()))?;
    file.sync_all().map_err(CheckpointError::io("write", to))?;
    Ok(gone.into_iter().map(|tensor| tensor.name).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use safetensors::{
        SafeTensors,
        tensor::{Dtype, TensorView, serialize},
    };

    use super::*;

    #[test]
    fn the_reference_reader_finds_the_others_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        let data: Vec<Vec<u8>> = (0..5_u8).map(|index| (0..24).map(|at| at * 7 + index).collect()).collect();
        let names = ["head.weight", "body.0", "head.bias", "body.1", "behead"];
        let kinds = [Dtype::F32, Dtype::F64, Dtype::F16, Dtype::F32, Dtype::U8];
        let views: Vec<(&str, TensorView)> = (0..5)
            .map(|index| {
                let shape = vec![24 / (kinds[index].bitsize() / 8)];
                (names[index], TensorView::new(kinds[index], shape, &data[index]).unwrap())
            })
            .collect();
        fs::write(&from, serialize(views, None).unwrap()).unwrap();
        let gone = write_without(&from, &to, |name| name.starts_with("head.")).unwrap();
        assert_eq!(gone, ["head.bias", "head.weight"]);
        let (before, after) = (fs::read(&from).unwrap(), fs::read(&to).unwrap());
        let (before, after) = (SafeTensors::deserialize(&before).unwrap(), SafeTensors::deserialize(&after).unwrap());
        assert_eq!(after.len(), 3);
        for name in ["behead", "body.0", "body.1"] {
            let (old, new) = (before.tensor(name).unwrap(), after.tensor(name).unwrap());
            assert_eq!((old.data(), old.shape(), old.dtype()), (new.data(), new.shape(), new.dtype()), "{name}");
        }
        let metadata = SafeTensors::read_metadata(&fs::read(&to).unwrap()).unwrap().1;
        assert_eq!(metadata.metadata().as_ref().unwrap()["format"], "pt");
        assert_eq!(header(&to).unwrap().len(), 3);
        // Never over a file that is there, and never without reading what is there.
        assert!(matches!(write_without(&from, &to, |_| false), Err(CheckpointError::Io { .. })));
        assert!(matches!(write_without(&folder.path().join("c"), &to, |_| false), Err(CheckpointError::Io { .. })));
    }
}
